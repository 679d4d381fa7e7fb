#include "process_limits.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/resource.h>

#include "log.hpp"

namespace boxgram::tools {
namespace {

/// 2,048 TCP connections and 1,024 more that linger, and sockets to resolvers, a few times over.
constexpr rlim_t kDescriptors = 16'384;

}  // namespace

// The limit is 1 and not 0, which Linux does not apply to a dump into a program; 1 stops both
// (core(5), fs/coredump.c).
void keep_memory_private() {
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, rlim_t{1});
  if (setrlimit(RLIMIT_CORE, &limit) != 0)
    log::warning("core dumps could not be switched off", {{"reason", std::strerror(errno)}});
}

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::max(before, std::min(limit.rlim_max, kDescriptors));
  if (limit.rlim_cur != before) setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < kDescriptors)
    log::warning("few descriptors: many TCP connections could take them all",
                 {{"limit", limit.rlim_cur}, {"wanted", kDescriptors}});
}

}  // namespace boxgram::tools
