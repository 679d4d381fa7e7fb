// Small files that must survive a crash whole, some of them secret.
#pragma once

#include <cstdint>
#include <string>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>

namespace boxgram::net {

struct StateFileError {
  enum class Kind : std::uint8_t {
    missing,    ///< no such file
    exists,     ///< write with Replace::no, and there is one
    exposed,    ///< a secret that others may read, or that belongs to somebody else
    too_large,  ///< does not fit the room given
    system      ///< the system refused: permission, disk full, ...
  };
  Kind kind = Kind::system;
  std::string message;  ///< one line for people: what, which file, how to mend it
};

enum class Secrecy : std::uint8_t { open, secret };
enum class Replace : std::uint8_t { no, yes };

/// Reads a whole file into `out` (so that a secret stands nowhere else) and returns its size.
/// A secret file must be a regular file of ours (or root's) that neither group nor others can
/// access: a warning would be overlooked, so it is an error.
base::expected<std::size_t, StateFileError> read_state_file(const std::string& path,
                                                            base::MutableBytes out,
                                                            Secrecy secrecy);

/// Writes a temporary file beside `path` (mode 0600 for a secret, else 0644 less the umask), makes
/// it durable (fsync), moves it into place and makes the move durable. After any failure or crash
/// `path` holds the old contents or the new, whole.
base::expected<void, StateFileError> write_state_file(const std::string& path, base::Bytes contents,
                                                      Secrecy secrecy, Replace replace);

}  // namespace boxgram::net
