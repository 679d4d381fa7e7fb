// What reading a list of names or records found, for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace boxgram::dns {

/// Counts of one text that was read, and its first mistakes.
struct ListReport {
  /// A list with the wrong format has a mistake on every line; ten show which.
  static constexpr std::size_t kKept = 10;

  struct Mistake {
    std::uint32_t line = 0;  ///< from 1
    std::string what;        ///< what was expected and what was found
  };

  std::uint64_t entries = 0;   ///< what was added
  std::uint64_t mistakes = 0;  ///< lines that were skipped
  std::vector<Mistake> first;  ///< the first kKept of them

  void add_mistake(std::uint32_t line, std::string what) {
    ++mistakes;
    if (first.size() < kKept) first.push_back({line, std::move(what)});
  }
};

}  // namespace boxgram::dns
