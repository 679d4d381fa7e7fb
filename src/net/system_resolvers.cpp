#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include <boxgram/net/state_file.hpp>
#include <boxgram/net/system_resolvers.hpp>

namespace boxgram::net {
namespace {

constexpr std::uint16_t kDnsPort = 53;

bool is_own(const base::SocketAddress& server, std::span<const base::SocketAddress> own) {
  return std::any_of(own.begin(), own.end(), [&](const base::SocketAddress& address) {
    if (address.port != server.port) return false;
    return address.ip == server.ip ||
           (address.is_unspecified() && address.is_v4() == server.is_v4() && server.is_loopback());
  });
}

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  const auto begin = std::min(line.find_first_not_of(kBlank), line.size());
  const auto end = std::min(line.find_first_of(kBlank, begin), line.size());
  const auto word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace

SystemResolvers parse_resolv_conf(std::string_view text, std::span<const base::SocketAddress> own) {
  SystemResolvers result;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (take_word(line) != "nameserver") continue;
    const auto word = take_word(line);
    const auto ip = base::parse_ip(word);
    if (!ip) {  // host names, and addresses with a zone, which c-ares 1.18 cannot reach
      result.ignored.push_back(ip.error());
      continue;
    }
    base::SocketAddress server;
    server.ip = *ip;
    server.port = kDnsPort;
    if (is_own(server, own))
      result.ignored.push_back(fmt::format("{} is an address that we listen on", word));
    else if (std::find(result.servers.begin(), result.servers.end(), server) ==
             result.servers.end())
      result.servers.push_back(server);
  }
  return result;
}

base::expected<SystemResolvers, std::string> system_resolvers(
    std::span<const base::SocketAddress> own, const char* path) {
  std::string text(65'536, '\0');
  const auto size = read_state_file(
      path, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}, Secrecy::open);
  if (!size) return base::unexpected<std::string>(size.error().message);
  text.resize(*size);
  return parse_resolv_conf(text, own);
}

}  // namespace boxgram::net
