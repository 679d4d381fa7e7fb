// What goes back inside a MSG.
#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/server.hpp>

#include "request.hpp"
#include "server_tables.hpp"
#include "tokens.hpp"

namespace boxgram::packet {
namespace {

/// An ERROR's code and two bytes of detail: what every reply has room for.
constexpr std::size_t kMinPayload = 4;

constexpr std::size_t frame_size(std::size_t payload) {
  return kFrameHeaderSize + payload;
}

std::size_t assoc_size(const ReplyTo& reply) {
  return reply.new_association ? frame_size(kAssocPayloadSize) : 0;
}

/// PONG and TIME stand behind the response, and their room is kept.
std::size_t controls_size(const ReplyTo& reply) {
  return (reply.pong ? frame_size(0) : 0) + (reply.time ? frame_size(kTimePayloadSize) : 0);
}

/// Negative if there is no room for a response at all.
std::ptrdiff_t room(const ReplyTo& reply) {
  return static_cast<std::ptrdiff_t>(reply.size) -
         static_cast<std::ptrdiff_t>(kMsgOverhead + assoc_size(reply) + frame_size(0) +
                                     controls_size(reply));
}

}  // namespace

base::MutableBytes Server::payload_space(const ReplyTo& reply, base::MutableBytes out) {
  const std::ptrdiff_t size = room(reply);
  BOXGRAM_CHECK(size >= static_cast<std::ptrdiff_t>(kMinPayload));
  return out.subspan(kMsgOverhead + assoc_size(reply) + frame_size(0),
                     static_cast<std::size_t>(size));
}

Received Server::dispatch(const Request& request, ReplyTo reply, base::MutableBytes out) {
  if (request.service) {
    reply.frame_id = request.service->id;
    reply.service = request.service->type;
  }
  if (request.malformed) return error(reply, ErrorCode::malformed, {}, out);
  if (!request.asks_something()) return drop(Drop::no_service);
  reply.pong = request.ping.has_value();
  reply.pong_id = request.ping.value_or(0);
  reply.time = request.time.has_value();
  reply.time_id = request.time.value_or(0);
  reply.keys_asked = request.keyreq.has_value();
  reply.offer_keys = reply.offer_keys || reply.keys_asked;
  reply.keys_id = request.keyreq.value_or(0);
  if (room(reply) + static_cast<std::ptrdiff_t>(request.service ? 0 : frame_size(0)) <
      static_cast<std::ptrdiff_t>(request.service ? kMinPayload : 0)) {
    reply.pong = reply.time = false;
    std::array<std::uint8_t, 2> fits;
    base::store_be16(fits.data(), static_cast<std::uint16_t>(room(reply)));
    return error(reply, ErrorCode::too_large, fits, out);
  }
  if (!request.service) return transmit(seal(reply, std::nullopt, out), counters_.msgs);
  if (!tables_->services.test(static_cast<std::uint8_t>(reply.service)))
    return error(reply, ErrorCode::unknown_service, {}, out);
  ++counters_.requests;
  Received received;
  received.kind = Received::Kind::request;
  received.payload = request.service->payload;
  received.reply = std::move(reply);
  return received;
}

Received Server::error(const ReplyTo& reply, ErrorCode code, base::Bytes detail,
                       base::MutableBytes out) {
  Received received;
  received.kind = Received::Kind::transmit;
  received.size = seal_error(reply, code, detail, out);
  return received;
}

std::size_t Server::seal_reply(const ReplyTo& reply, std::size_t payload_size,
                               base::MutableBytes out) {
  ++counters_.msgs;
  return seal(reply, Response{reply.service, payload_size}, out);
}

std::size_t Server::seal_error(const ReplyTo& reply, ErrorCode code, base::Bytes detail,
                               base::MutableBytes out) {
  base::Writer payload(payload_space(reply, out));
  payload.u16(static_cast<std::uint16_t>(code));
  payload.bytes(detail.first(std::min(detail.size(), payload.left())));
  ++counters_.msgs;
  ++counters_.errors;
  return seal(reply, Response{FrameType::error, payload.size()}, out);
}

std::size_t Server::seal(const ReplyTo& reply, std::optional<Response> response,
                         base::MutableBytes out) {
  const base::MutableBytes datagram = out.first(reply.size);
  FrameWriter frames(frame_space(DatagramType::msg, datagram));
  if (reply.new_association) {
    std::array<std::uint8_t, kAssocPayloadSize> payload;
    base::Writer writer(payload);
    writer.bytes(reply.sid);
    writer.bytes(reset_token(keys_->reset_key, reply.sid));
    writer.u32(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(config_.association_lifetime).count()));
    frames.put(FrameType::assoc, false, 0, payload);
  }
  if (response)
    BOXGRAM_CHECK(frames.reserve(response->type, true, reply.frame_id, response->payload_size));
  if (reply.pong) BOXGRAM_CHECK(frames.put(FrameType::pong, true, reply.pong_id));
  if (reply.time) {
    std::array<std::uint8_t, kTimePayloadSize> unix_ms;
    base::store_be64(unix_ms.data(), reply.unix_ms);
    BOXGRAM_CHECK(frames.put(FrameType::time, true, reply.time_id, unix_ms));
  }
  if (const BoxKey* newest = reply.offer_keys ? keys_->newest() : nullptr)
    frames.put(FrameType::keys, reply.keys_asked, reply.keys_id, *newest->certificate);
  frames.finish();
  MsgHeader header;
  header.cid = reply.cid;
  rng_.fill(header.r);
  seal_msg(datagram, header, reply.re, reply.key);
  return datagram.size();
}

}  // namespace boxgram::packet
