#include "packet/vectors.hpp"

#include <fstream>

#include <nlohmann/json.hpp>

#include <boxgram/crypto/hash.hpp>

namespace boxgram::test {
namespace {

const nlohmann::json& at(const std::string& pointer) {
  static const nlohmann::json all = [] {
    nlohmann::json files;
    for (const char* name : {"/packet.json", "/stream.json"})
      files.update(nlohmann::json::parse(std::ifstream(std::string(TEST_VECTORS) + name)));
    return files;
  }();
  return all.at(nlohmann::json::json_pointer(pointer));
}

}  // namespace

Buffer from_hex(const std::string& text) {
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

Buffer vector_bytes(const std::string& pointer) {
  return from_hex(vector_text(pointer));
}

std::string vector_text(const std::string& pointer) {
  return at(pointer).get<std::string>();
}

std::size_t vector_count(const std::string& pointer) {
  return at(pointer).size();
}

std::vector<std::pair<std::uint64_t, bool>> vector_window() {
  return at("/replay_window/sequence").get<std::vector<std::pair<std::uint64_t, bool>>>();
}

Buffer vector_random(const std::string& name, std::size_t size) {
  Buffer out;
  for (std::uint32_t i = 0; out.size() < size; ++i) {
    std::array<std::uint8_t, 4> counter;
    base::store_be32(counter.data(), i);
    Buffer block(64);
    crypto::blake2b(block, {base::as_bytes("bxg1-kat:"), base::as_bytes(name), counter});
    out.insert(out.end(), block.begin(), block.end());
  }
  out.resize(size);
  return out;
}

}  // namespace boxgram::test
