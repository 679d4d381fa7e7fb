#include "request.hpp"

#include <algorithm>

namespace boxgram::packet {
namespace {

/// Notes a control frame that may stand only once. False if it is the second one, or not empty.
bool note(std::optional<std::uint32_t>& seen, const Frame& frame) {
  if (seen || !frame.payload.empty()) return false;
  seen = frame.id;
  return true;
}

bool add(Request& request, DatagramType type, const Frame& frame) {
  if (frame.response) return false;
  if (is_service(frame.type)) {
    if (request.service) return false;
    request.service = frame;
    return true;
  }
  switch (frame.type) {
    case FrameType::ping:
      return note(request.ping, frame);
    case FrameType::time:
      return note(request.time, frame);
    case FrameType::keyreq:
      return note(request.keyreq, frame);
    case FrameType::assoc_req:
      if (request.assoc_req || !frame.payload.empty() || type == DatagramType::short_) return false;
      return request.assoc_req = true;
    case FrameType::echo: {
      if (request.echo || frame.payload.size() != kEchoPayloadSize ||
          type != DatagramType::initial_c)
        return false;
      CookieNonce& nonce = request.echo.emplace();
      std::copy(frame.payload.begin(), frame.payload.end(), nonce.begin());
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

Request parse_request(DatagramType type, base::Bytes frames) {
  Request request;
  FrameReader reader(frames);
  while (const auto frame = reader.next())
    if (!add(request, type, *frame)) request.malformed = true;
  if (!reader.ok()) request.malformed = true;
  return request;
}

}  // namespace boxgram::packet
