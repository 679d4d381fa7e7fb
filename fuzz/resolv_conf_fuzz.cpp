// The system's resolv.conf: whatever stands in it, only usable servers come out, each once.
#include <cstddef>
#include <cstdint>
#include <set>

#include <boxgram/base/check.hpp>
#include <boxgram/net/system_resolvers.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  const auto own = base::SocketAddress::v4(0, 0, 0, 0, 53);
  const auto result = net::parse_resolv_conf(base::as_text({data, size}), {&own, 1});
  std::set<base::SocketAddress> seen;
  for (const auto& server : result.servers) {
    BOXGRAM_CHECK(server.port == 53 && server.scope == 0);
    BOXGRAM_CHECK(!(server.is_v4() && server.is_loopback()));
    BOXGRAM_CHECK(seen.insert(server).second);
  }
  return 0;
}
