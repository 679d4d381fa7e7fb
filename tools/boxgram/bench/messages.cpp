#include "messages.hpp"

#include <fmt/format.h>

#include <boxgram/dns/name.hpp>
#include <boxgram/dns/query.hpp>

namespace boxgram::tools::bench {

std::vector<std::uint8_t> query_for(std::uint32_t n) {
  const auto name = dns::Name::from_text(fmt::format("h{}.bench.test", n));
  dns::UpstreamQuery query;
  query.id = static_cast<std::uint16_t>(n);
  query.name = name->wire();
  query.type = dns::rrtype::a;
  std::vector<std::uint8_t> bytes(dns::kMaxUpstreamQuerySize);
  bytes.resize(dns::build_upstream_query(query, bytes));
  return bytes;
}

std::vector<std::uint8_t> answer_to(base::Bytes query) {
  static constexpr std::uint8_t kRecord[] = {0xc0, 0x0c, 0, 1, 0,   1,  0, 1,
                                             0x51, 0x80, 0, 4, 198, 18, 0, 1};
  constexpr std::size_t kOpt = 11;
  const auto opt = query.last(kOpt);
  std::vector<std::uint8_t> bytes(query.begin(), query.end() - kOpt);
  bytes[2] = 0x85;  // QR, AA, RD
  bytes[7] = 1;     // one answer
  bytes.insert(bytes.end(), std::begin(kRecord), std::end(kRecord));
  bytes.insert(bytes.end(), opt.begin(), opt.end());
  return bytes;
}

}  // namespace boxgram::tools::bench
