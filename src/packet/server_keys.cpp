#include <boxgram/packet/server_keys.hpp>

namespace boxgram::packet {

const BoxKey* ServerKeys::find(const KeyId& id) const {
  for (const auto& key : live)
    if (key->id == id) return key.get();
  return nullptr;
}

const BoxKey* ServerKeys::newest() const {
  const BoxKey* best = nullptr;
  for (const auto& key : live)
    if (key->certificate && (best == nullptr || key->serial > best->serial)) best = key.get();
  return best;
}

std::size_t write_live_keys(base::MutableBytes out, const Echo& echo, const ServerKeys& keys) {
  std::array<std::uint8_t, kMinInitial - kKeysClear> certificates;
  base::Writer writer(certificates);
  for (const auto& key : keys.live)
    if (key->certificate && writer.left() >= kCertificateSize) writer.bytes(*key->certificate);
  return write_keys(out, {echo, writer.written()});
}

}  // namespace boxgram::packet
