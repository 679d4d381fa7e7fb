// Any bytes as a bencoded value: walked, compared with a plain reader, written again.
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <boxgram/dht/bencode.hpp>

namespace base = boxgram::base;
namespace bencode = boxgram::dht::bencode;

static void require(bool fact) {
  if (!fact) std::abort();
}

static std::string text(const bencode::Value& value) {
  return std::string(base::as_text(value.raw()));
}

static std::string with_length(std::string_view string) {
  return std::to_string(string.size()) + ":" + std::string(string);
}

/// The canonical form of a sound value, or "" if a key stands twice somewhere. Made through the
/// walks alone, so that it finds whatever they lose.
static std::string canonical(const bencode::Value& value) {
  if (const auto string = value.string()) return with_length(base::as_text(*string));
  if (value.is_list()) {
    std::string out = "l";
    bencode::List list(value.raw());
    while (const auto element = list.next()) {
      const std::string inner = canonical(*element);
      if (inner.empty()) return "";
      out += inner;
    }
    require(list.ok() && list.rest().empty());
    return out + "e";
  }
  if (value.is_dictionary()) {
    std::map<std::string, std::string> entries;
    bencode::Dictionary dictionary(value.raw());
    while (const auto entry = dictionary.next()) {
      const std::string inner = canonical(entry->value);
      if (inner.empty() || !entries.emplace(entry->key, inner).second) return "";
    }
    require(dictionary.ok() && dictionary.rest().empty());
    std::string out = "d";
    for (const auto& [key, inner] : entries) out += with_length(key) + inner;
    return out + "e";
  }
  if (const auto integer = value.integer()) return "i" + std::to_string(*integer) + "e";
  return text(value);  // an integer of more than 64 bits
}

/// Walks whatever it is as both kinds: neither may run away.
static void walk_anything(base::Bytes bytes) {
  std::size_t left = bytes.size() + 1;
  bencode::Dictionary dictionary(bytes);
  while (dictionary.next()) require(--left > 0);
  bencode::List list(bytes);
  left = bytes.size() + 1;
  while (list.next()) require(--left > 0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes bytes(data, size);
  walk_anything(bytes);
  const auto value = bencode::Value::read(bytes);
  if (!value) {
    require(!bencode::is_canonical(bytes));
    return 0;
  }
  const base::Bytes raw = value->raw();
  require(!raw.empty() && raw.size() <= size && raw.data() == data);
  const std::string form = canonical(*value);
  require(bencode::is_canonical(raw) == (form == text(*value)));
  require(bencode::is_canonical(bytes) == (form == base::as_text(bytes)));
  if (form.empty()) return 0;
  require(bencode::is_canonical(base::as_bytes(form)));

  std::vector<std::uint8_t> out(form.size());
  bencode::Encoder encoder(out);
  encoder.raw(base::as_bytes(form));
  require(encoder.ok() && encoder.size() == form.size());
  return 0;
}
