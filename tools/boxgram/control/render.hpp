// The result of a method as people read it. What a server sends is taken as it comes: a member that
// is missing or of another kind shows as such and harms nothing.
#pragma once

#include <string>

#include <boxgram/control/methods.hpp>

namespace boxgram::tools {

std::string render(const control::Method& method, const control::Json& result);

}  // namespace boxgram::tools
