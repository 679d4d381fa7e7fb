#include "own_item.hpp"

#include <fmt/format.h>

#include "../key_file.hpp"

namespace boxgram::tools {

dht::Item own_item(const DhtOperationOptions& options, std::int64_t sequence, Report& report) {
  dht::Item item;
  item.value = base::as_bytes(options.value);
  const std::string target = dht::to_hex(options.target);
  if (!options.key) {
    report.note({{"event", "hashed"}, {"target", target}}, target);
    return item;
  }
  const crypto::SigningKey key(*options.key);
  const base::Bytes salt = base::as_bytes(options.salt);
  item.author = dht::Authorship{key.verify_key(), salt, sequence,
                                dht::sign_item(key, salt, sequence, item.value)};
  const std::string word = public_word("ed25519", key.verify_key());
  report.note({{"event", "signed"}, {"target", target}, {"key", word}, {"seq", sequence}},
              fmt::format("{}\n;; seq {}, {}", target, sequence, word));
  return item;
}

}  // namespace boxgram::tools
