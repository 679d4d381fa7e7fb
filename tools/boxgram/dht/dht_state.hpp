// What a DHT node keeps over a restart, in its state directory:
//
//   dht.key         X25519 secret: the node's identity in the sealed overlay
//   mainline.id     its id in Mainline, 40 hexadecimal digits
//   sealed.nodes    the nodes it knew, with keys
//   mainline.nodes  the nodes it knew
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/dht/node.hpp>

#include "../state_dir.hpp"

namespace boxgram::tools {

/// A table of 1,024 nodes of each family takes 88 KiB.
inline constexpr std::size_t kMaxTableFile = 256 << 10;

/// default_state_dir() + "/dht": apart from a gateway's, since each locks its own.
std::string default_dht_state_dir();

std::string table_file(const std::string& dir, dht::Overlay overlay);

/// Errors are lines for people. Nothing: there is no such file.
base::expected<std::optional<std::vector<std::uint8_t>>, std::string> read_table(
    const std::string& dir, dht::Overlay overlay);
base::expected<void, std::string> write_table(const std::string& dir, dht::Overlay overlay,
                                              base::Bytes table);

base::expected<std::optional<dht::NodeId>, std::string> read_mainline_id(const std::string& dir);
base::expected<void, std::string> write_mainline_id(const std::string& dir, const dht::NodeId& id);

}  // namespace boxgram::tools
