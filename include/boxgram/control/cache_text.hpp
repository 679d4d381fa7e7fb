// Cached answers as lines of text, to be carried from one process to the next.
// Source: docs/control.md, "Lines of a dump".
//
//   NAME TYPE CLASS FLAGS AGE MESSAGE
//   example.org. A IN - 12 AACAgAABAAEAAAAA...
//
// FLAGS is "-", "do", "cd" or "do+cd": how it was asked for. AGE is in seconds. MESSAGE is the DNS
// response in base64url, with ID 0, without OPT and with the TTLs that it came with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/dns/answer_builder.hpp>
#include <boxgram/dns/shared_cache.hpp>

namespace boxgram::control {

struct DumpPage {
  std::vector<std::string> lines;
  std::string cursor;          ///< of the next page; empty: this was the last
  std::uint64_t left_out = 0;  ///< answers of about 27,000 bytes and more, which fit no message
};

/// `cursor` is empty for the first page. The lines of a page have at most 36 KiB, so that as JSON
/// they fit a message. What is stored or removed meanwhile may or may not be in the pages; failures
/// and extended errors are never.
/// Errors: a phrase for people about a cursor that dump_page() has not made.
base::expected<DumpPage, std::string> dump_page(const dns::SharedCache& cache,
                                                std::string_view cursor, base::Instant now);

enum class Loaded : std::uint8_t {
  taken,
  passed_over,  ///< may not be cached, is too old, or a younger answer is held
};

/// Takes one line as if an upstream had sent the message, which is checked in the same way and
/// never believed to be authentic. Errors: a phrase for people; the cache is unchanged then.
base::expected<Loaded, std::string> load_line(std::string_view line, dns::SharedCache& cache,
                                              dns::AnswerBuilder& builder, base::Instant now);

/// A cached answer as a whole message, with TTLs that have counted down; `out` has 65,535 bytes.
/// Returns its bytes in `out`.
base::Bytes message_of(const dns::QueryKey& key, const dns::AnswerView& answer, std::uint32_t age,
                       base::MutableBytes out);

}  // namespace boxgram::control
