// A control client's commands: asks over a Link, prints, and says how it went.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boxgram/control/link.hpp>
#include <boxgram/control/methods.hpp>

#include "boxgram/commands.hpp"
#include "command.hpp"
#include "console.hpp"

namespace boxgram::tools {

/// Opens a way to the server, or says why there is none.
using Connect = std::function<base::expected<std::unique_ptr<control::Link>, control::LinkError>()>;

class ControlClient {
 public:
  /// `own_key`: the public key as text, for the hint to somebody who is not authorised. Connects
  /// with the first request, and again with the next one after the link was lost.
  ControlClient(Connect connect, Console& console, std::string own_key)
      : connect_(std::move(connect)), console_(console), own_key_(std::move(own_key)) {}

  Exit run(const Command& command);
  /// Parses first. Usage errors are printed as all others.
  Exit run_words(std::span<const std::string> words);

  /// One request; an error has been printed and becomes an exit code.
  base::expected<control::Json, Exit> call(const control::Method& method,
                                           const control::Json& params);

 private:
  Exit print_result(const Command& command);
  Exit dump(const Command& command);
  Exit load(const Command& command);
  Exit fail(Exit code, const std::string& message, const std::string& hint = {});
  Exit link_failed(const control::LinkError& error);
  Exit call_failed(const control::RpcError& error);

  Connect connect_;
  Console& console_;
  std::string own_key_;
  std::unique_ptr<control::Link> link_;
  std::uint64_t last_id_ = 0;
};

}  // namespace boxgram::tools
