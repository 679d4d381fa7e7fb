// Zone lines from a configuration: whatever is read can be found again and answered with.
#include <boxgram/base/check.hpp>
#include <boxgram/dns/record_text.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  const std::string_view text = base::as_text({data, size});
  const auto record = dns::parse_record(text);
  if (record) {
    dns::Zone zone;
    zone.add(*record);
    const auto found = zone.find(record->owner, record->type);
    BOXGRAM_CHECK(found.match == dns::Zone::Match::records);
    BOXGRAM_CHECK(found.sets[0]->front().rdata == record->rdata);
  } else {
    BOXGRAM_CHECK(!record.error().empty());
  }
  dns::Zone zone;
  const auto report = dns::add_records(text, zone);
  BOXGRAM_CHECK(zone.size() <= report.entries);
  return 0;
}
