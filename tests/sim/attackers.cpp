#include "sim/attackers.hpp"

namespace boxgram::sim {

void Replayer::on_sent(World& world, const SocketAddress& from, const SocketAddress& to,
                       base::Bytes bytes) {
  // Up to 50 s later: inside and outside of the replay set's memory and a cookie's life.
  const Duration delay =
      1ms * static_cast<Duration::rep>(rng_.below(2) == 0 ? rng_.below(200) : rng_.below(50'000));
  const SocketAddress own = SocketAddress::v4(203, 0, 113, 66, 6666);
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  ++replayed_;
  switch (rng_.below(5)) {
    case 0:
      world.inject(from, to, copy, delay);
      break;
    case 1:
      world.inject(own, to, copy, delay);
      break;
    case 2:
      world.inject(to, from, copy, delay);
      break;
    case 3:
      // The top bit of EC does not matter to X25519: another name for the same box.
      if (copy.size() > 44 && copy[3] <= 2) copy[43] ^= 0x80;
      world.inject(from, to, copy, delay);
      break;
    default:
      --replayed_;
      break;
  }
}

void Flooder::flood(World& world, std::size_t count, bool sealed) {
  const auto& server_key = *gateway_.keys().live.back();
  for (std::size_t i = 0; i < count; ++i) {
    std::array<std::uint8_t, packet::kMinInitial> datagram;
    const SocketAddress source = SocketAddress::v4(
        198, static_cast<std::uint8_t>(rng_.u16()), static_cast<std::uint8_t>(rng_.u16()),
        static_cast<std::uint8_t>(rng_.u16()), rng_.u16());
    const crypto::KeyPair pair = crypto::generate_key_pair(rng_);
    packet::FrameWriter frames(packet::frame_space(packet::DatagramType::initial, datagram));
    frames.put(packet::FrameType::assoc_req, false, 0);
    frames.put(packet::FrameType::dns, false, 1, make_request(~std::uint64_t{0}, 30));
    frames.finish();
    auto key = crypto::shared_key(server_key.public_key, pair.secret_key);
    if (!sealed) rng_.fill(key->bytes());
    packet::seal_initial(datagram, {server_key.id, pair.public_key, 0, {}},
                         wall_clock()(world.now()), *key);
    world.inject(source, to_, datagram, 1us * static_cast<Duration::rep>(rng_.below(1000)));
  }
}

void Spoofer::send(World& world, const SocketAddress& victim, base::Bytes bytes) {
  ++sent_;
  world.inject(gateway_, victim, bytes, 1us * static_cast<Duration::rep>(rng_.below(30'000)));
}

void Spoofer::on_sent(World& world, const SocketAddress& from, const SocketAddress& to,
                      base::Bytes bytes) {
  const auto type = packet::parse_header(bytes);
  if (!type || to != gateway_) return;
  std::array<std::uint8_t, packet::kMaxDatagram> out;
  if (*type == packet::DatagramType::short_) {
    packet::ResetView reset{packet::parse_short(bytes).sid, {}};
    rng_.fill(reset.token);
    send(world, from, base::Bytes(out).first(packet::write_reset(out, reset)));
  }
  if (*type == packet::DatagramType::initial || *type == packet::DatagramType::initial_c) {
    const auto header = packet::parse_initial(bytes);
    packet::RetryView retry{packet::client_id(header.client_key), header.n + 1000, {}};
    send(world, from, base::Bytes(out).first(packet::write_retry(out, retry)));
    retry.n = header.n;
    rng_.fill(retry.cid);
    send(world, from, base::Bytes(out).first(packet::write_retry(out, retry)));
    packet::MsgHeader msg{packet::client_id(header.client_key), {}};
    packet::frame_space(packet::DatagramType::msg, base::MutableBytes(out).first(512));
    crypto::SharedKey wrong;
    rng_.fill(wrong.bytes());
    packet::seal_msg(base::MutableBytes(out).first(512), msg, header.n, wrong);
    send(world, from, base::Bytes(out).first(512));
  }
  if (*type == packet::DatagramType::keyreq) {
    packet::KeysView keys{};
    rng_.fill(keys.echo);
    std::array<std::uint8_t, packet::kCertificateSize> forged;
    rng_.fill(forged);
    keys.certificates = forged;
    send(world, from, base::Bytes(out).first(packet::write_keys(out, keys)));
  }
}

}  // namespace boxgram::sim
