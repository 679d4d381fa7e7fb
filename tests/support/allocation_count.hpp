// Counts heap allocations, to prove that a hot path has none. Link allocation_count.cpp, which
// replaces the program's operator new.
#pragma once

#include <cstddef>

namespace boxgram::test {

/// By this thread, since it began.
std::size_t allocation_count();

}  // namespace boxgram::test
