// BOXGRAM_CHECK: an invariant of our own. On in every build; what a peer sends must never reach
// one.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace boxgram::base {

[[noreturn]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: invariant does not hold: %s\n", file, line, what);
  std::abort();
}

}  // namespace boxgram::base

#define BOXGRAM_CHECK(condition)                                     \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::boxgram::base::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
