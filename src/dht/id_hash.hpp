// Hash tables by id, whose buckets nobody outside can aim at.
#pragma once

#include <boxgram/crypto/hash.hpp>
#include <boxgram/dht/node_id.hpp>

namespace boxgram::dht {

/// For std::unordered_map; holds a pointer because the container copies it.
class IdHash {
 public:
  explicit IdHash(const crypto::ShortHashKey& key) : key_(&key) {}
  std::size_t operator()(const NodeId& id) const { return (*key_)(id.bytes); }

 private:
  const crypto::ShortHashKey* key_;
};

}  // namespace boxgram::dht
