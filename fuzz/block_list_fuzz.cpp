// Block lists come from strangers: no text may do more than add entries and mistakes.
#include <boxgram/base/check.hpp>
#include <boxgram/dns/block_list.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  dns::BlockList list;
  const auto report = list.add_text(base::as_text({data, size}));
  BOXGRAM_CHECK(list.size() <= report.entries);
  BOXGRAM_CHECK(report.first.size() <= dns::ListReport::kKept);
  // The same bytes as a name: never blocked by an empty list, findable once added.
  const std::size_t n = dns::uncompressed_name_size({data, size});
  if (n == 0) return 0;
  const auto name = dns::Name::from_wire({data, n});
  BOXGRAM_CHECK(name.has_value());
  list.add(*name, dns::BlockList::Scope::with_subdomains);
  BOXGRAM_CHECK(list.blocks(*name));
  return 0;
}
