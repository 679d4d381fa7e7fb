// Bencoded values as people and scripts read them.
#pragma once

#include <nlohmann/json.hpp>

#include <boxgram/dht/bencode.hpp>

namespace boxgram::tools {

/// Strings of valid UTF-8 as strings, others as {"hex": "..."}; an integer of more than 64 bits as
/// its digits.
nlohmann::ordered_json value_json(const dht::bencode::Value& value);

std::string hex(base::Bytes bytes);

}  // namespace boxgram::tools
