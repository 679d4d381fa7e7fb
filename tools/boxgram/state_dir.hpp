// What a gateway or a DHT node must keep over a restart:
//
//   identity.key  Ed25519 seed, secret; lost, every stamp given out is worthless
//   pinned.key    X25519 secret, only with keys.pinned
//   reset.key     secret; lost, clients need one round trip more after a restart
//   serial        the highest certificate serial given out, decimal
//   dht.key       X25519 secret of a DHT node (and more beside it: dht/dht_state.hpp)
//   lock          empty; a gateway or node that runs has it locked
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/crypto/sign.hpp>

namespace boxgram::tools {

/// ${XDG_STATE_HOME:-~/.local/state}/boxgram, or /var/lib/boxgram for root.
std::string default_state_dir();

/// Every error is a line for people that says what to do.
class StateDir {
 public:
  template <class T>
  using Result = base::expected<T, std::string>;

  /// Makes the folder (mode 0700) if it is missing.
  static Result<StateDir> open_or_create(const std::string& path);
  /// The folder must be there.
  static Result<StateDir> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Makes it ours for as long as this object or a copy lives. Two gateways with one reset.key
  /// would each end the other's associations for whoever asks (PROTOCOL.md, "Reset"), and give two
  /// keys one serial.
  [[nodiscard]] Result<void> claim();

  /// The secret in a file, made on first use.
  [[nodiscard]] Result<crypto::SigningSeed> identity(base::Rng& rng) const;
  [[nodiscard]] Result<crypto::SecretKey> pinned(base::Rng& rng) const;
  [[nodiscard]] Result<crypto::SharedKey> reset_key(base::Rng& rng) const;
  [[nodiscard]] Result<crypto::SecretKey> dht_key(base::Rng& rng) const;
  /// Whether these have been made.
  [[nodiscard]] bool has_identity() const;
  [[nodiscard]] bool has_pinned() const;

  /// 0 if none was ever given out.
  [[nodiscard]] Result<std::uint32_t> serial() const;
  [[nodiscard]] Result<void> store_serial(std::uint32_t serial) const;

 private:
  explicit StateDir(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }
  [[nodiscard]] Result<crypto::Secret<32>> secret(base::Rng& rng, const char* name,
                                                  std::string_view kind) const;

  std::string path_;
  std::shared_ptr<std::FILE> lock_;
};

}  // namespace boxgram::tools
