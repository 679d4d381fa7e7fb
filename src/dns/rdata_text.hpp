// RDATA from its words.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/dns/name.hpp>

namespace boxgram::dns {

/// A word of a record's line, escapes still in it.
struct Word {
  std::string_view text;
  bool in_quotes = false;
};

/// Takes one word after the other; every function is false when the word is not what it must be,
/// and error() then says what was expected.
class RdataText {
 public:
  explicit RdataText(std::span<const Word> words) : words_(words) {}

  [[nodiscard]] bool at_end() const { return words_.empty(); }
  [[nodiscard]] std::string_view peek() const { return words_.front().text; }
  void skip() { words_ = words_.subspan(1); }
  [[nodiscard]] const std::string& error() const { return error_; }

  bool name(Name& out);
  bool number(std::uint32_t& out, std::uint32_t max, std::string_view what);
  /// All words that are left, as RDATA of `type`.
  bool rdata(std::uint16_t type, std::vector<std::uint8_t>& out);

 private:
  using Rdata = std::vector<std::uint8_t>;

  bool fail(std::string_view expected);
  bool put_name(Rdata& out);
  bool put_u8(Rdata& out, std::string_view what);
  bool put_u16(Rdata& out, std::string_view what);
  bool put_u32(Rdata& out, std::string_view what);
  bool put_address(Rdata& out, bool v4);
  bool put_string(Rdata& out);  // with its length byte
  bool octets(std::string_view text, Rdata& out);
  bool generic(Rdata& out);
  bool known(std::uint16_t type, Rdata& out);
  bool txt(Rdata& out);
  bool caa(Rdata& out);
  bool soa(Rdata& out);
  bool service(Rdata& out);
  bool service_parameter(std::string_view key, std::string_view value, bool has_value,
                         std::uint16_t& number, Rdata& out);
  bool addresses(std::string_view list, bool v4, Rdata& out);

  std::span<const Word> words_;
  std::string error_;
};

}  // namespace boxgram::dns
