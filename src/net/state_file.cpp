#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boxgram/net/state_file.hpp>

namespace boxgram::net {
namespace {

using Kind = StateFileError::Kind;

base::unexpected<StateFileError> refuse(Kind kind, std::string message) {
  return base::unexpected<StateFileError>(StateFileError{kind, std::move(message)});
}

base::unexpected<StateFileError> system_error(const char* what, const std::string& path) {
  const int error = errno;
  return refuse(error == ENOENT ? Kind::missing : Kind::system,
                fmt::format("cannot {} {}: {}", what, path, std::strerror(error)));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

base::expected<void, StateFileError> check_secret(const struct stat& info,
                                                  const std::string& path) {
  if (info.st_uid != geteuid() && info.st_uid != 0)
    return refuse(Kind::exposed,
                  fmt::format("{} holds a secret but belongs to user {}: chown {} {}", path,
                              info.st_uid, geteuid(), path));
  if ((info.st_mode & 077) != 0)
    return refuse(Kind::exposed,
                  fmt::format("{} holds a secret but others can access it (mode {:04o}): "
                              "chmod 600 {}",
                              path, info.st_mode & 07777u, path));
  return {};
}

bool write_all(int fd, base::Bytes bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool sync_directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const auto directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const File file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return file.fd() >= 0 && ::fsync(file.fd()) == 0;
}

}  // namespace

base::expected<std::size_t, StateFileError> read_state_file(const std::string& path,
                                                            base::MutableBytes out,
                                                            Secrecy secrecy) {
  // Without O_NONBLOCK a pipe in the file's place would hang us.
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0) return system_error("open", path);
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return system_error("look at", path);
  if (!S_ISREG(info.st_mode)) return refuse(Kind::system, path + " is not a regular file");
  if (secrecy == Secrecy::secret)
    if (auto fine = check_secret(info, path); !fine)
      return base::unexpected<StateFileError>(fine.error());
  std::size_t size = 0;
  for (;;) {
    std::uint8_t beyond = 0;
    auto* to = size < out.size() ? out.data() + size : &beyond;
    const auto n = ::read(file.fd(), to, size < out.size() ? out.size() - size : 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read", path);
    if (n == 0) return size;
    if (size == out.size())
      return refuse(Kind::too_large, fmt::format("{} is larger than {} bytes", path, out.size()));
    size += static_cast<std::size_t>(n);
  }
}

base::expected<void, StateFileError> write_state_file(const std::string& path, base::Bytes contents,
                                                      Secrecy secrecy, Replace replace) {
  std::string temporary = path + ".XXXXXX";
  const File file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (file.fd() < 0) return system_error("create a file beside", path);
  const bool written = (secrecy == Secrecy::secret || ::fchmod(file.fd(), 0644) == 0) &&
                       write_all(file.fd(), contents) && ::fsync(file.fd()) == 0;
  if (!written) {
    auto error = system_error("write", temporary);
    ::unlink(temporary.c_str());
    return error;
  }
  // link() fails where rename() would overwrite.
  const bool moved = replace == Replace::yes ? ::rename(temporary.c_str(), path.c_str()) == 0
                                             : ::link(temporary.c_str(), path.c_str()) == 0;
  if (!moved) {
    auto error = errno == EEXIST ? refuse(Kind::exists, path + " exists already")
                                 : system_error("write", path);
    ::unlink(temporary.c_str());
    return error;
  }
  if (replace == Replace::no) ::unlink(temporary.c_str());
  if (!sync_directory_of(path)) return system_error("make durable", path);
  return {};
}

}  // namespace boxgram::net
