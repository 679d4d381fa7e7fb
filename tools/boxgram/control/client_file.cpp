#include "client_file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boxgram/net/state_file.hpp>

namespace boxgram::tools {
namespace {

using base::unexpected;
using config::ConfigError;
using control::AllowList;

unexpected<ConfigError> problem(const std::string& path, std::string message,
                                std::string hint = {}) {
  return unexpected<ConfigError>(ConfigError{path, 0, 0, std::move(message), std::move(hint)});
}

unexpected<ConfigError> problem(const std::string& path, const control::ListError& error) {
  return unexpected<ConfigError>(
      ConfigError{path, error.line, error.column, error.message, error.hint});
}

/// Held while an edit lasts: two at once would lose one, and with it perhaps the removal of a key.
/// Never waited for: whoever may read the folder could hold it for ever.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : fd_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ >= 0 && flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    error_ = errno;
    release();
  }
  ~FolderLock() { release(); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  [[nodiscard]] bool is_held() const { return fd_ >= 0; }
  [[nodiscard]] bool is_busy() const { return error_ == EWOULDBLOCK; }
  [[nodiscard]] const char* reason() const { return std::strerror(error_); }

 private:
  void release() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd_;
  int error_ = 0;
};

std::string folder_of(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::absolute(path, ignored).parent_path().string();
}

/// Who can write to the list, or put another in its place, can give himself every right. In a
/// folder like /tmp files are replaced by their owners only, but anybody can make what is missing.
base::expected<void, ConfigError> check_exposure(const std::string& path) {
  struct stat folder {};
  struct stat file {};
  const auto parent = folder_of(path);
  if (stat(parent.c_str(), &folder) != 0) return {};  // then there is no file either
  constexpr mode_t kOthers = S_IWGRP | S_IWOTH;
  if ((folder.st_mode & kOthers) != 0 && (folder.st_mode & S_ISVTX) == 0)
    return problem(parent, "others can write to the folder of the allow-list",
                   fmt::format("run: chmod go-w {}", parent));
  if (stat(path.c_str(), &file) != 0) return {};
  if ((file.st_mode & kOthers) != 0)
    return problem(path, "others can write to the allow-list",
                   fmt::format("run: chmod go-w {}", path));
  if (file.st_uid != geteuid() && file.st_uid != 0 && file.st_uid != folder.st_uid)
    return problem(path, fmt::format("the allow-list belongs to user {}", file.st_uid),
                   fmt::format("run: chown {} {}", geteuid(), path));
  return {};
}

}  // namespace

ClientFile::ClientFile(std::string path)
    : path_(std::move(path)), list_(std::make_shared<const AllowList>()) {}

ClientFile::Result<std::string> ClientFile::read() const {
  if (auto safe = check_exposure(path_); !safe)
    return unexpected<ConfigError>(std::move(safe.error()));
  std::vector<std::uint8_t> bytes(AllowList::kMaxSize + 1);
  const auto size = net::read_state_file(path_, bytes, net::Secrecy::open);
  if (size) return std::string(base::as_text(base::Bytes(bytes).first(*size)));
  if (size.error().kind == net::StateFileError::Kind::missing) return std::string();
  return problem(path_, size.error().message);
}

ClientFile::Result<void> ClientFile::reload() {
  const auto text = read();
  if (!text) return unexpected<ConfigError>(text.error());
  auto list = AllowList::parse(*text);
  if (!list) return problem(path_, list.error());
  list_ = std::make_shared<const AllowList>(std::move(*list));
  return {};
}

template <class Change>
ClientFile::Result<void> ClientFile::edit(Change change) {
  const auto folder = folder_of(path_);
  const FolderLock lock(folder);
  if (!lock.is_held())
    return problem(folder, fmt::format("cannot be locked: {}", lock.reason()),
                   lock.is_busy()
                       ? "somebody else edits the list at this moment; try again"
                       : "name another file with --clients, or the gateway's folder with "
                         "--state-dir");
  const auto before = read();
  if (!before) return unexpected<ConfigError>(before.error());
  const base::expected<std::string, control::ListError> after = change(*before);
  if (!after) return problem(path_, after.error());
  const auto written =
      net::write_state_file(path_, base::as_bytes(*after), net::Secrecy::open, net::Replace::yes);
  if (!written) return problem(path_, written.error().message);
  return reload();
}

ClientFile::Result<void> ClientFile::add(const crypto::PublicKey& key, std::string_view name,
                                         control::Services services) {
  return edit(
      [&](const std::string& text) { return control::with_client(text, key, name, services); });
}

ClientFile::Result<void> ClientFile::remove(std::string_view name) {
  return edit([&](const std::string& text) { return control::without_client(text, name); });
}

}  // namespace boxgram::tools
