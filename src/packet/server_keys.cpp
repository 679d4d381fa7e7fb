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

}  // namespace boxgram::packet
