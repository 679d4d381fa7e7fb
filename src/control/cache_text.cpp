#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include <boxgram/control/cache_text.hpp>
#include <boxgram/crypto/base64url.hpp>
#include <boxgram/dns/normalise.hpp>
#include <boxgram/dns/record_text.hpp>

#include "in_quotes.hpp"

namespace boxgram::control {
namespace {

using base::expected;
using base::unexpected;

/// Of the lines of a page. JSON makes at most a quarter more of it: "\ddd" gets a backslash.
constexpr std::size_t kPageSize = 36 * 1024;
/// Table places that are looked at while a shard is locked, and for one page: an empty cache's
/// table of a million places must neither hold up lookups nor the caller.
constexpr std::size_t kBucketsAtOnce = 1'024;
constexpr std::size_t kBucketsOfPage = 65'536;

constexpr std::string_view kFlags[] = {"-", "do", "cd", "do+cd"};  // by QueryKey::bits()
constexpr std::string_view kClassPrefix = "CLASS";

unexpected<std::string> problem(std::string text) {
  return unexpected<std::string>(std::move(text));
}

template <class Integer>
std::optional<Integer> read_number(std::string_view text) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string class_text(std::uint16_t rr_class) {
  return rr_class == dns::rrclass::in ? "IN" : fmt::format("{}{}", kClassPrefix, rr_class);
}

std::optional<std::uint16_t> read_class(std::string_view text) {
  if (text == "IN") return dns::rrclass::in;
  if (!text.starts_with(kClassPrefix)) return std::nullopt;
  return read_number<std::uint16_t>(text.substr(kClassPrefix.size()));
}

std::string cursor_text(const dns::SharedCacheWalk& walk) {
  return fmt::format("{}.{}.{}", walk.shard, walk.inside.bucket, walk.inside.skip);
}

std::optional<dns::SharedCacheWalk> read_cursor(std::string_view text) {
  if (text.empty()) return dns::SharedCacheWalk{};
  const auto first = text.find('.');
  const auto second = text.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  const auto shard = read_number<std::uint32_t>(text.substr(0, first));
  const auto bucket = read_number<std::uint32_t>(text.substr(first + 1, second - first - 1));
  const auto skip = read_number<std::uint32_t>(text.substr(second + 1));
  if (!shard || !bucket || !skip) return std::nullopt;
  return dns::SharedCacheWalk{*shard, {*bucket, *skip}};
}

std::string line_of(const dns::QueryKey& key, const dns::CacheEntryView& view,
                    base::MutableBytes scratch) {
  return fmt::format("{} {} {} {} {} {}", dns::Name::from_wire(key.name())->to_text(),
                     dns::record_type_text(key.type()), class_text(key.rr_class()),
                     kFlags[key.bits()], view.age,
                     crypto::to_base64url(message_of(key, view.answer, 0, scratch)));
}

/// The words of a line, which must be as many.
template <std::size_t N>
bool split(std::string_view line, std::array<std::string_view, N>& words) {
  for (std::size_t i = 0; i < N; ++i) {
    const std::size_t end = std::min(line.find(' '), line.size());
    words[i] = line.substr(0, end);
    if (words[i].empty() || (end == line.size()) != (i + 1 == N)) return false;
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return true;
}

/// The key of a line and its age; the message stands aside.
struct Head {
  dns::Name name;
  std::uint16_t type = 0;
  std::uint16_t rr_class = 0;
  std::uint8_t flags = 0;
  std::uint32_t age = 0;
};

expected<Head, std::string> read_head(const std::array<std::string_view, 6>& words) {
  Head head;
  const auto name = dns::Name::from_text(words[0]);
  if (!name) return problem(fmt::format("{} is not a domain name", in_quotes(words[0])));
  head.name = *name;
  const auto type = dns::parse_record_type(words[1]);
  if (!type) return problem(type.error());
  head.type = *type;
  const auto rr_class = read_class(words[2]);
  if (!rr_class) return problem(fmt::format("{} is not a class", in_quotes(words[2])));
  head.rr_class = *rr_class;
  const auto* flags = std::find(std::begin(kFlags), std::end(kFlags), words[3]);
  if (flags == std::end(kFlags))
    return problem(fmt::format("expected -, do, cd or do+cd, found {}", in_quotes(words[3])));
  head.flags = static_cast<std::uint8_t>(flags - std::begin(kFlags));
  const auto age = read_number<std::uint32_t>(words[4]);
  if (!age)
    return problem(fmt::format("expected an age in seconds, found {}", in_quotes(words[4])));
  head.age = *age;
  return head;
}

}  // namespace

base::Bytes message_of(const dns::QueryKey& key, const dns::AnswerView& answer, std::uint32_t age,
                       base::MutableBytes out) {
  dns::Query query;
  query.name = key.name();
  query.type = key.type();
  query.rr_class = key.rr_class();
  query.dnssec_ok = key.dnssec_ok();
  dns::AnswerOptions options;
  options.transport = dns::Transport::tcp;
  return out.first(dns::write_answer(answer, query, options, {age, 0}, out).size);
}

expected<DumpPage, std::string> dump_page(const dns::SharedCache& cache, std::string_view cursor,
                                          base::Instant now) {
  auto walk = read_cursor(cursor);
  if (!walk) return problem(fmt::format("{} is no cursor of a page before", in_quotes(cursor)));
  DumpPage page;
  std::size_t size = 0;
  bool is_full = false;
  std::vector<std::uint8_t> scratch(dns::kMaxMessageSize);
  const auto take = [&](const dns::QueryKey& key, const dns::CacheEntryView& view) {
    if (view.hit == dns::CacheHit::failure) return true;
    auto line = line_of(key, view, scratch);
    if (line.size() > kPageSize) {
      ++page.left_out;
      return true;
    }
    is_full = size + line.size() > kPageSize;
    if (is_full) return false;
    size += line.size();
    page.lines.push_back(std::move(line));
    return true;
  };
  for (std::size_t done = 0; done < kBucketsOfPage && !is_full; done += kBucketsAtOnce)
    if (cache.walk(*walk, kBucketsAtOnce, now, take)) return page;
  page.cursor = cursor_text(*walk);
  return page;
}

expected<Loaded, std::string> load_line(std::string_view line, dns::SharedCache& cache,
                                        dns::AnswerBuilder& builder, base::Instant now) {
  std::array<std::string_view, 6> words;
  if (!split(line, words))
    return problem(
        fmt::format("expected NAME TYPE CLASS FLAGS AGE MESSAGE, found {}", in_quotes(line)));
  const auto head = read_head(words);
  if (!head) return problem(head.error());
  const auto message = crypto::from_base64url(words[5]);
  if (!message) return problem(fmt::format("{} is not base64url", in_quotes(words[5])));
  dns::Expectation asked;
  asked.name = head->name.wire();
  asked.type = head->type;
  asked.rr_class = head->rr_class;
  asked.dnssec_ok = (head->flags & 1) != 0;
  auto answer = dns::normalise(*message, asked, builder);
  if (!answer) return problem(fmt::format("the message is no answer for {}", in_quotes(words[0])));
  answer->authentic = false;
  const dns::QueryKey key(head->name.wire(), head->type, head->rr_class, asked.dnssec_ok,
                          (head->flags & 2) != 0);
  const bool taken = cache.restore(key, *answer, std::chrono::seconds(head->age), now);
  return taken ? Loaded::taken : Loaded::passed_over;
}

}  // namespace boxgram::control
