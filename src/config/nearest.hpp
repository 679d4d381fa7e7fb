// Which of the known words somebody meant who mistyped one.
#pragma once

#include <string_view>
#include <vector>

namespace boxgram::config {

/// The candidate with the fewest edits to `word`, or an empty view if none is near enough to be
/// meant. A candidate whose last part (after a dot) is the word itself is always near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace boxgram::config
