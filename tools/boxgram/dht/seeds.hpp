// The nodes that people name: stamps of the sealed overlay, addresses and hosts of Mainline.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/dht/remote_node.hpp>

namespace boxgram::tools {

struct Seeds {
  std::vector<dht::RemoteNode> sealed;
  std::vector<dht::RemoteNode> mainline;  ///< ids unknown
};

/// Reads "boxgram://...", "ADDR:PORT" and "HOST:PORT"; a host is looked up with the system's
/// resolver, which may take its time. A host that cannot be found is an error of its own kind,
/// since it may be there tomorrow: it comes back in `unknown`. The error is a phrase for people.
base::expected<Seeds, std::string> read_seeds(std::span<const std::string> texts,
                                              std::vector<std::string>& unknown);

/// True if all of them are loopback or private addresses, and there is one.
bool all_local(const Seeds& seeds);

}  // namespace boxgram::tools
