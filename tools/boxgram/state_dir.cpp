#include "state_dir.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boxgram/net/state_file.hpp>

#include "key_file.hpp"

namespace boxgram::tools {
namespace {

base::unexpected<std::string> problem(std::string text) {
  return base::unexpected<std::string>(std::move(text));
}

}  // namespace

std::string default_state_dir() {
  if (geteuid() == 0) return "/var/lib/boxgram";
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    return std::string(state) + "/boxgram";
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "." : home) + "/.local/state/boxgram";
}

StateDir::Result<StateDir> StateDir::open_or_create(const std::string& path) {
  std::error_code error;
  const auto parent = std::filesystem::absolute(path, error).parent_path();
  std::filesystem::create_directories(parent, error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return problem(
        fmt::format("cannot make the state directory {}: {}; choose another with "
                    "--state-dir",
                    path, std::strerror(errno)));
  return open(path);
}

StateDir::Result<StateDir> StateDir::open(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0)
    return problem(
        fmt::format("cannot open the state directory {}: {}", path, std::strerror(errno)));
  if (!S_ISDIR(info.st_mode)) return problem(fmt::format("{} is not a directory", path));
  // Somebody who can write here could replace our keys.
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return problem(
        fmt::format("others can write to the state directory {}; run: chmod go-w {}", path, path));
  return StateDir(path);
}

StateDir::Result<void> StateDir::claim() {
  const auto close = [](std::FILE* opened) { opened != nullptr ? std::fclose(opened) : 0; };
  std::shared_ptr<std::FILE> lock(std::fopen(file("lock").c_str(), "ae"), close);
  if (lock == nullptr)
    return problem(fmt::format("cannot open {}: {}", file("lock"), std::strerror(errno)));
  if (flock(fileno(lock.get()), LOCK_EX | LOCK_NB) != 0)
    return problem(
        fmt::format("another process uses the state directory {}; stop it, or choose another "
                    "with --state-dir",
                    path_));
  lock_ = std::move(lock);
  return {};
}

StateDir::Result<crypto::Secret<32>> StateDir::secret(base::Rng& rng, const char* name,
                                                      std::string_view kind) const {
  auto found = read_secret(file(name), kind);
  if (!found) return problem(found.error());
  if (*found) return std::move(**found);
  crypto::Secret<32> made;
  rng.fill(made.bytes());
  if (auto written = write_secret(file(name), kind, made, false); !written)
    return problem(written.error());
  return made;
}

StateDir::Result<crypto::SigningSeed> StateDir::identity(base::Rng& rng) const {
  return secret(rng, "identity.key", kIdentitySecret);
}

StateDir::Result<crypto::SecretKey> StateDir::pinned(base::Rng& rng) const {
  return secret(rng, "pinned.key", kPinnedSecret);
}

StateDir::Result<crypto::SharedKey> StateDir::reset_key(base::Rng& rng) const {
  return secret(rng, "reset.key", kResetSecret);
}

StateDir::Result<crypto::SecretKey> StateDir::dht_key(base::Rng& rng) const {
  return secret(rng, "dht.key", kDhtSecret);
}

bool StateDir::has_identity() const {
  return access(file("identity.key").c_str(), F_OK) == 0;
}

bool StateDir::has_pinned() const {
  return access(file("pinned.key").c_str(), F_OK) == 0;
}

StateDir::Result<std::uint32_t> StateDir::serial() const {
  std::array<std::uint8_t, 16> text{};
  const auto size = net::read_state_file(file("serial"), text, net::Secrecy::open);
  if (!size) {
    if (size.error().kind == net::StateFileError::Kind::missing) return 0u;
    return problem(size.error().message);
  }
  const auto* begin = reinterpret_cast<const char*>(text.data());
  std::uint32_t serial = 0;
  const auto [end, error] = std::from_chars(begin, begin + *size, serial);
  if (error != std::errc{} || (end != begin + *size && *end != '\n'))
    return problem(fmt::format("{} is damaged; remove it if the clock of this machine is right",
                               file("serial")));
  return serial;
}

StateDir::Result<void> StateDir::store_serial(std::uint32_t serial) const {
  const auto text = fmt::format("{}\n", serial);
  const auto written = net::write_state_file(file("serial"), base::as_bytes(text),
                                             net::Secrecy::open, net::Replace::yes);
  if (!written) return problem(written.error().message);
  return {};
}

}  // namespace boxgram::tools
