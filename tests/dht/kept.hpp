// Decoded messages are views: the tests' texts live until the end of the program.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include <boxgram/base/bytes.hpp>

namespace boxgram::test {

inline base::Bytes kept(std::string_view text) {
  static std::deque<std::string> texts;
  return base::as_bytes(texts.emplace_back(text));
}

}  // namespace boxgram::test
