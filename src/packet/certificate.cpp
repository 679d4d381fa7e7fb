#include <algorithm>

#include <boxgram/packet/certificate.hpp>

namespace boxgram::packet {
namespace {

constexpr std::size_t kSignedSize = 60;
constexpr std::string_view kMagic{"BXGC\x01\0\0\0", 8};
constexpr std::string_view kContext{"BXG1 server key\0", 16};

using Message = std::array<std::uint8_t, kContext.size() + kSignedSize>;

Message signed_message(base::Bytes first) {
  Message message;
  base::Writer writer(message);
  writer.bytes(base::as_bytes(kContext));
  writer.bytes(first);
  return message;
}

}  // namespace

CertificateBytes sign_certificate(const Certificate& certificate, const crypto::SigningKey& key) {
  CertificateBytes bytes;
  base::Writer writer(bytes);
  writer.bytes(base::as_bytes(kMagic));
  writer.u32(certificate.serial);
  writer.u64(certificate.not_before);
  writer.u64(certificate.not_after);
  writer.bytes(certificate.server_key);
  const crypto::Signature signature = key.sign(signed_message(writer.written()));
  writer.bytes(signature);
  return bytes;
}

std::uint32_t unverified_serial(base::Bytes bytes) {
  return base::load_be32(&bytes[8]);
}

base::expected<Certificate, CertificateError> verify_certificate(
    base::Bytes bytes, const crypto::VerifyKey& identity) {
  using Result = base::unexpected<CertificateError>;
  if (bytes.size() != kCertificateSize) return Result(CertificateError::bad_format);
  base::Reader reader(bytes);
  if (base::as_text(reader.bytes(kMagic.size())) != kMagic)
    return Result(CertificateError::bad_format);
  Certificate certificate;
  certificate.serial = reader.u32();
  certificate.not_before = reader.u64();
  certificate.not_after = reader.u64();
  const base::Bytes server_key = reader.bytes(certificate.server_key.size());
  std::copy(server_key.begin(), server_key.end(), certificate.server_key.begin());
  crypto::Signature signature;
  std::copy_n(reader.rest().begin(), signature.size(), signature.begin());
  if (certificate.not_after < certificate.not_before) return Result(CertificateError::bad_validity);
  if (!crypto::verify(signature, signed_message(bytes.first(kSignedSize)), identity))
    return Result(CertificateError::bad_signature);
  return certificate;
}

}  // namespace boxgram::packet
