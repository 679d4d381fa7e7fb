// Any bytes as a client's query: parsed, answered with an error, asked upstream.
#include <array>
#include <cstdlib>

#include <boxgram/dns/query.hpp>
#include <boxgram/dns/query_key.hpp>

namespace dns = boxgram::dns;
namespace base = boxgram::base;

static void require(bool fact) {
  if (!fact) std::abort();
}

static void answers_with_error(base::Bytes message, dns::Rcode rcode) {
  const dns::ExtendedError error{dns::ede::other, "fuzz"};
  std::array<std::uint8_t, 512> out;
  const std::size_t size = dns::make_error_response(message, rcode, {&error, 1}, out);
  require(size >= dns::kHeaderSize && out[0] == message[0] && out[1] == message[1]);
  require(out[2] & 0x80);
  require(base::load_be16(&out[4]) <= 1);
  require(base::load_be32(&out[6]) == 0 && base::load_be16(&out[10]) <= 1);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes message(data, size);
  const auto query = dns::parse_query(message);
  if (!query) {
    const auto rcode = dns::rcode_of(query.error());
    std::array<std::uint8_t, 512> out;
    if (!rcode)
      require(dns::make_error_response(message, dns::Rcode::format_error, {}, out) == 0);
    else
      answers_with_error(message, *rcode);
    return 0;
  }
  answers_with_error(message, dns::Rcode::refused);
  require(dns::Name::from_wire(query->name).has_value());
  require(query->udp_size >= dns::kPlainUdpSize);

  // What we ask upstream is itself a query with the same meaning.
  const std::array<std::uint8_t, 32> bits = {0xa5, 0x5a, 0xff, 0, 0x33};
  std::array<std::uint8_t, dns::kMaxUpstreamQuerySize> out;
  const std::size_t written =
      dns::build_upstream_query({.id = query->id,
                                 .name = query->name,
                                 .type = query->type,
                                 .rr_class = query->rr_class,
                                 .checking_disabled = query->checking_disabled(),
                                 .dnssec_ok = query->dnssec_ok,
                                 .case_bits = bits},
                                out);
  const auto again = dns::parse_query(base::Bytes(out).first(written));
  require(again && again->has_opt && again->udp_size == dns::kOwnUdpSize);
  require(dns::QueryKey(*again) == dns::QueryKey(*query));
  return 0;
}
