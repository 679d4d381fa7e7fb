#include "dht_state.hpp"

#include <fmt/format.h>

#include <boxgram/net/state_file.hpp>

namespace boxgram::tools {
namespace {

using Kind = net::StateFileError::Kind;

base::unexpected<std::string> problem(std::string text) {
  return base::unexpected<std::string>(std::move(text));
}

std::string id_file(const std::string& dir) {
  return dir + "/mainline.id";
}

}  // namespace

std::string default_dht_state_dir() {
  return default_state_dir() + "/dht";
}

std::string table_file(const std::string& dir, dht::Overlay overlay) {
  return dir + (overlay == dht::Overlay::sealed ? "/sealed.nodes" : "/mainline.nodes");
}

base::expected<std::optional<std::vector<std::uint8_t>>, std::string> read_table(
    const std::string& dir, dht::Overlay overlay) {
  std::vector<std::uint8_t> table(kMaxTableFile);
  const auto size = net::read_state_file(table_file(dir, overlay), table, net::Secrecy::open);
  if (!size && size.error().kind == Kind::missing)
    return std::optional<std::vector<std::uint8_t>>();
  if (!size) return problem(size.error().message);
  table.resize(*size);
  return std::optional(std::move(table));
}

base::expected<void, std::string> write_table(const std::string& dir, dht::Overlay overlay,
                                              base::Bytes table) {
  const auto written =
      net::write_state_file(table_file(dir, overlay), table, net::Secrecy::open, net::Replace::yes);
  if (!written) return problem(written.error().message);
  return {};
}

base::expected<std::optional<dht::NodeId>, std::string> read_mainline_id(const std::string& dir) {
  std::array<std::uint8_t, 64> text;
  const auto size = net::read_state_file(id_file(dir), text, net::Secrecy::open);
  if (!size && size.error().kind == Kind::missing) return std::optional<dht::NodeId>();
  if (!size) return problem(size.error().message);
  auto line = base::as_text(base::Bytes(text).first(*size));
  if (line.ends_with('\n')) line.remove_suffix(1);
  const auto id = dht::parse_hex(line);
  if (!id) return problem(fmt::format("{} is damaged; remove it to get another id", id_file(dir)));
  return std::optional(*id);
}

base::expected<void, std::string> write_mainline_id(const std::string& dir, const dht::NodeId& id) {
  const auto written = net::write_state_file(id_file(dir), base::as_bytes(dht::to_hex(id) + "\n"),
                                             net::Secrecy::open, net::Replace::yes);
  if (!written) return problem(written.error().message);
  return {};
}

}  // namespace boxgram::tools
