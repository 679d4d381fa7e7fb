// What one opened box asks for.
#pragma once

#include <optional>

#include <boxgram/packet/datagram.hpp>
#include <boxgram/packet/frame.hpp>

namespace boxgram::packet {

struct Request {
  /// Something stands there that may not: act on nothing, answer ERROR malformed.
  bool malformed = false;
  bool assoc_req = false;
  std::optional<CookieNonce> echo;
  std::optional<std::uint32_t> ping;  ///< its id; likewise below
  std::optional<std::uint32_t> time;
  std::optional<std::uint32_t> keyreq;
  std::optional<Frame> service;

  [[nodiscard]] bool asks_something() const {
    return assoc_req || ping || time || keyreq || service;
  }
};

/// Each type at most once and at most one service in a datagram: what one datagram can cause is
/// bounded by its form.
/// REQUIRES: type is initial, initial_c or short_.
Request parse_request(DatagramType type, base::Bytes frames);

}  // namespace boxgram::packet
