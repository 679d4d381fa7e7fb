// The allow-list on disk: read, and edited safely.
#pragma once

#include <memory>
#include <string>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/config_error.hpp>
#include <boxgram/control/allow_list.hpp>

namespace boxgram::tools {

/// An edit takes the file as it is at that moment and replaces it in one step: a crash leaves the
/// old list or the new one. Of two edits at once the second fails.
class ClientFile {
 public:
  template <class T>
  using Result = base::expected<T, config::ConfigError>;

  /// Nothing is read yet; the list is empty.
  explicit ClientFile(std::string path);

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Never null.
  [[nodiscard]] const std::shared_ptr<const control::AllowList>& list() const { return list_; }

  /// A file that is missing is an empty list. After an error the list is the one before.
  Result<void> reload();

  /// Errors: those of the file, and of control::with_client and without_client.
  Result<void> add(const crypto::PublicKey& key, std::string_view name, control::Services services);
  Result<void> remove(std::string_view name);

 private:
  template <class Change>
  Result<void> edit(Change change);
  [[nodiscard]] Result<std::string> read() const;

  std::string path_;
  std::shared_ptr<const control::AllowList> list_;
};

}  // namespace boxgram::tools
