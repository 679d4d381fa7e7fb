// Hosts files: whatever is read, each address leads back to a name.
#include <boxgram/base/check.hpp>
#include <boxgram/dns/hosts.hpp>
#include <boxgram/dns/types.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  dns::Zone zone;
  const auto report = dns::add_hosts(base::as_text({data, size}), zone);
  BOXGRAM_CHECK(zone.size() <= 2 * report.entries);
  if (size < 16) return 0;
  std::array<std::uint8_t, 16> ip;
  std::copy_n(data, 16, ip.begin());
  const auto name = dns::reverse_name(ip);
  BOXGRAM_CHECK(name.label_count() == 6 || name.label_count() == 34);
  return 0;
}
