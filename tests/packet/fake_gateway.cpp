#include "packet/fake_gateway.hpp"

#include <algorithm>

namespace boxgram::test {

std::optional<Heard> FakeGateway::hear(base::Bytes datagram) {
  const auto type = packet::parse_header(datagram);
  if (!type) return std::nullopt;
  Heard heard;
  heard.type = *type;
  heard.raw.assign(datagram.begin(), datagram.end());
  Datagram copy = heard.raw;
  std::optional<packet::Opened> opened;
  if (*type == packet::DatagramType::short_) {
    const auto header = packet::parse_short(copy);
    heard.n = header.n;
    heard.sid = header.sid;
    heard.ec = ec_;
    opened = packet::open_short(copy, header, *crypto::shared_key(ec_, pair_.secret_key));
  } else if (*type <= packet::DatagramType::initial_c) {
    const auto header = packet::parse_initial(copy);
    heard.n = header.n;
    heard.ec = header.client_key;
    heard.cookie.assign(header.cookie.begin(), header.cookie.end());
    opened = packet::open_initial(copy, header, *crypto::shared_key(heard.ec, pair_.secret_key));
  } else {
    return heard;
  }
  if (!opened) return std::nullopt;
  heard.ts = opened->prefix;
  packet::FrameReader frames(opened->frames);
  while (const auto frame = frames.next()) {
    if (frame->type == packet::FrameType::assoc_req) {
      heard.assoc_req = true;
    } else if (frame->type == packet::FrameType::echo) {
      std::copy_n(frame->payload.begin(), 16, heard.echo.emplace().begin());
    } else {
      heard.service = frame->type;
      heard.id = frame->id;
      heard.payload.assign(frame->payload.begin(), frame->payload.end());
    }
  }
  return heard;
}

Datagram FakeGateway::msg(const Heard& heard, const Write& write, std::size_t size) {
  Datagram datagram(size != 0 ? size : heard.raw.size());
  packet::FrameWriter frames(packet::frame_space(packet::DatagramType::msg, datagram));
  write(frames);
  frames.finish();
  packet::MsgHeader header{packet::client_id(heard.ec), {}};
  rng_.fill(header.r);
  packet::seal_msg(datagram, header, heard.n, *crypto::shared_key(heard.ec, pair_.secret_key));
  return datagram;
}

Datagram FakeGateway::answer(const Heard& heard, base::Bytes payload) {
  return msg(heard, [&](packet::FrameWriter& w) { w.put(heard.service, true, heard.id, payload); });
}

Datagram FakeGateway::error(const Heard& heard, packet::ErrorCode code, base::Bytes detail) {
  Datagram payload(2 + detail.size());
  base::Writer writer(payload);
  writer.u16(static_cast<std::uint16_t>(code));
  writer.bytes(detail);
  return msg(heard, [&](packet::FrameWriter& w) {
    w.put(packet::FrameType::error, true, heard.id, payload);
  });
}

Datagram FakeGateway::associate(const Heard& heard, base::Bytes answer, std::uint32_t lifetime_s) {
  ec_ = heard.ec;
  Datagram payload(packet::kAssocPayloadSize);
  base::Writer writer(payload);
  writer.bytes(sid);
  writer.bytes(token);
  writer.u32(lifetime_s);
  return msg(heard, [&](packet::FrameWriter& w) {
    w.put(packet::FrameType::assoc, false, 0, payload);
    w.put(heard.service, true, heard.id, answer);
  });
}

Datagram FakeGateway::retry(const Heard& heard) {
  packet::RetryView retry{packet::client_id(heard.ec), heard.n, {}};
  rng_.fill(retry.cookie);
  Datagram datagram(packet::kRetrySize);
  packet::write_retry(datagram, retry);
  return datagram;
}

Datagram FakeGateway::reset() {
  Datagram datagram(packet::kResetSize);
  packet::write_reset(datagram, {sid, token});
  return datagram;
}

}  // namespace boxgram::test
