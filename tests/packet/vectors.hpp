// The published test vectors of the format (tests/vectors/packet.json and stream.json).
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boxgram/base/bytes.hpp>

namespace boxgram::test {

using Buffer = std::vector<std::uint8_t>;

Buffer from_hex(const std::string& text);

/// A hex value by its JSON pointer, such as "/keys/Ss" or "/packet/0/datagram".
Buffer vector_bytes(const std::string& pointer);
std::string vector_text(const std::string& pointer);
/// How many elements the array or object at this pointer has.
std::size_t vector_count(const std::string& pointer);
/// The replay window's sequence: counter, accepted?
std::vector<std::pair<std::uint64_t, bool>> vector_window();
/// The random bytes that the vectors were made with.
Buffer vector_random(const std::string& name, std::size_t size);

template <std::size_t N>
std::array<std::uint8_t, N> to_array(base::Bytes bytes) {
  if (bytes.size() != N) throw std::runtime_error("a vector has another size than expected");
  std::array<std::uint8_t, N> out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

}  // namespace boxgram::test
