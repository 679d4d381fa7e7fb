#include "value_text.hpp"

#include <fmt/format.h>

namespace boxgram::tools {
namespace {

using Json = nlohmann::ordered_json;

/// The library's own check, which throws where the text is no UTF-8.
bool is_utf8(const std::string& text) {
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

Json string_json(std::string_view bytes) {
  std::string text(bytes);
  if (is_utf8(text)) return text;
  return {{"hex", hex(base::as_bytes(text))}};
}

/// A key is always text; one that is no UTF-8 stands as "hex:...".
std::string key_text(std::string_view key) {
  std::string text(key);
  return is_utf8(text) ? text : "hex:" + hex(base::as_bytes(key));
}

}  // namespace

std::string hex(base::Bytes bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Json value_json(const dht::bencode::Value& value) {
  if (const auto string = value.string()) return string_json(base::as_text(*string));
  if (const auto integer = value.integer()) return *integer;
  if (value.is_list()) {
    Json out = Json::array();
    dht::bencode::List list(value.raw());
    while (const auto element = list.next()) out.push_back(value_json(*element));
    return out;
  }
  if (value.is_dictionary()) {
    Json out = Json::object();
    dht::bencode::Dictionary dictionary(value.raw());
    while (const auto entry = dictionary.next())
      out[key_text(entry->key)] = value_json(entry->value);
    return out;
  }
  return std::string(base::as_text(value.raw().subspan(1, value.raw().size() - 2)));
}

}  // namespace boxgram::tools
