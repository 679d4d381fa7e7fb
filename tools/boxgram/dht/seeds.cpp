#include "seeds.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <boxgram/packet/stamp.hpp>

namespace boxgram::tools {
namespace {

base::unexpected<std::string> wrong(std::string text) {
  return base::unexpected<std::string>(std::move(text));
}

base::expected<dht::RemoteNode, std::string> node_of_stamp(const std::string& text) {
  const auto stamp = packet::decode_stamp(text);
  if (!stamp) return wrong(fmt::format("'{}': {}", text, packet::to_string(stamp.error())));
  if (!stamp->pinned)
    return wrong(
        fmt::format("'{}' is the stamp of a gateway; `boxgram dht node` prints its own", text));
  return dht::remote_node(dht::SealedContact{*stamp->pinned, stamp->address});
}

/// All addresses of a host, or none.
std::vector<base::SocketAddress> look_up(const std::string& host, const std::string& port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_DGRAM;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &wanted, &list) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  std::vector<base::SocketAddress> found;
  for (; list != nullptr; list = list->ai_next) {
    base::SocketAddress address;
    if (list->ai_family == AF_INET) {
      sockaddr_in v4{};
      std::memcpy(&v4, list->ai_addr, sizeof v4);
      std::uint8_t ip[4];
      std::memcpy(ip, &v4.sin_addr, sizeof ip);
      address = base::SocketAddress::v4(ip[0], ip[1], ip[2], ip[3], ntohs(v4.sin_port));
    } else if (list->ai_family == AF_INET6) {
      sockaddr_in6 v6{};
      std::memcpy(&v6, list->ai_addr, sizeof v6);
      std::memcpy(address.ip.data(), &v6.sin6_addr, address.ip.size());
      address.port = ntohs(v6.sin6_port);
    } else {
      continue;
    }
    found.push_back(address);
  }
  return found;
}

bool is_host_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  }) && std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
}

}  // namespace

base::expected<Seeds, std::string> read_seeds(std::span<const std::string> texts,
                                              std::vector<std::string>& unknown) {
  Seeds seeds;
  for (const std::string& text : texts) {
    if (text.starts_with("boxgram:")) {
      const auto node = node_of_stamp(text);
      if (!node) return wrong(node.error());
      seeds.sealed.push_back(*node);
      continue;
    }
    const auto colon = text.rfind(':');
    const auto host = text.substr(0, colon);
    if (colon == std::string::npos || !is_host_name(host)) {
      const auto address = base::parse_socket_address(text, 0);
      if (!address) return wrong(address.error());
      seeds.mainline.push_back({{}, *address, {}});
      continue;
    }
    const auto port = base::parse_socket_address("192.0.2.1:" + text.substr(colon + 1), 0);
    if (!port) return wrong(fmt::format("'{}': {}", text, port.error()));
    const auto addresses = look_up(host, text.substr(colon + 1));
    if (addresses.empty()) unknown.push_back(text);
    for (const auto& address : addresses) seeds.mainline.push_back({{}, address, {}});
  }
  return seeds;
}

bool all_local(const Seeds& seeds) {
  const auto local = [](const dht::RemoteNode& node) { return dht::is_local(node.address); };
  return seeds.sealed.size() + seeds.mainline.size() > 0 &&
         std::all_of(seeds.sealed.begin(), seeds.sealed.end(), local) &&
         std::all_of(seeds.mainline.begin(), seeds.mainline.end(), local);
}

}  // namespace boxgram::tools
