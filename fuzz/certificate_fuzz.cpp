// Certificates: any bytes against an identity, and mutated ones that were signed by it.
#include <algorithm>
#include <cstdlib>

#include <boxgram/packet/certificate.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  static const crypto::SigningKey identity(
      crypto::SigningSeed(std::array<std::uint8_t, 32>{1, 2, 3}));
  const base::Bytes input(data, size);
  // Nobody but the identity can make one: bytes that verify are bytes that it has signed, and
  // signatures are deterministic.
  if (const auto read = packet::verify_certificate(input, identity.verify_key())) {
    const auto made = packet::sign_certificate(*read, identity);
    if (!std::equal(input.begin(), input.end(), made.begin(), made.end())) std::abort();
  }
  // The fields as the input has them, signed: accepted exactly if the times are in order.
  base::Reader reader(input);
  packet::Certificate certificate;
  certificate.serial = reader.u32();
  certificate.not_before = reader.u64();
  certificate.not_after = reader.u64();
  const auto made = packet::sign_certificate(certificate, identity);
  const auto read = packet::verify_certificate(made, identity.verify_key());
  if (read.has_value() != (certificate.not_before <= certificate.not_after)) std::abort();
  if (read) (void)read->valid_at(reader.u64());
  return 0;
}
