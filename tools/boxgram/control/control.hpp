// boxgram control: from options to a session.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/config_error.hpp>
#include <boxgram/control/link.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/stamp.hpp>

#include "boxgram/commands.hpp"

namespace boxgram::tools {

struct ControlOptions {
  /// The server to control; asked for once the command is known to need one.
  std::function<base::expected<packet::Stamp, config::ConfigError>()> find_server;
  std::string key_path;
  std::vector<std::string> words;  ///< the command; empty: a prompt
};

/// Opens a stream to the server that a stamp names, with a client's key.
using OpenLink = std::function<base::expected<std::unique_ptr<control::Link>, control::LinkError>(
    const packet::Stamp& server, const crypto::SecretKey& key)>;

/// Usage errors, and those of the server's name and the key file, show before anything is
/// connected.
int run_control(const ControlOptions& options, const OpenLink& open_link);

}  // namespace boxgram::tools
