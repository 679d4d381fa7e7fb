// base::expected: a value or the reason why there is none. Spelled like C++23's std::expected,
// which neither g++ 12 in C++20 mode nor clang 14 has.
#pragma once

#include <tl/expected.hpp>

namespace boxgram::base {

template <class T, class E>
using expected = tl::expected<T, E>;

// Not an alias template: clang 14 cannot deduce E through one.
using tl::unexpected;

}  // namespace boxgram::base
