#include "opt.hpp"

namespace boxgram::dns {

void write_opt(std::uint8_t* out, std::uint16_t udp_size, Rcode rcode, bool dnssec_ok) {
  out[0] = 0;
  base::store_be16(out + 1, rrtype::opt);
  base::store_be16(out + 3, udp_size);
  out[5] = static_cast<std::uint8_t>(static_cast<unsigned>(rcode) >> 4);
  out[6] = 0;
  base::store_be16(out + 7, dnssec_ok ? 0x8000 : 0);
  base::store_be16(out + 9, 0);
}

std::size_t errors_size(std::span<const ExtendedError> errors) {
  std::size_t size = 0;
  for (const ExtendedError& error : errors) size += 6 + error.text.size();
  return size;
}

void write_errors(std::uint8_t* out, std::span<const ExtendedError> errors) {
  for (const ExtendedError& error : errors) {
    base::store_be16(out, kExtendedErrorOption);
    base::store_be16(out + 2, static_cast<std::uint16_t>(2 + error.text.size()));
    base::store_be16(out + 4, error.code);
    if (!error.text.empty()) std::memcpy(out + 6, error.text.data(), error.text.size());
    out += 6 + error.text.size();
  }
}

}  // namespace boxgram::dns
