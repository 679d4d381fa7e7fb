#include "server_handshake.hpp"

#include <algorithm>

namespace boxgram::stream {
namespace {

using packet::FrameType;

std::shared_ptr<const packet::BoxKey> find_key(const packet::ServerKeys& keys,
                                               const packet::KeyId& id) {
  const auto key = std::find_if(keys.live.begin(), keys.live.end(),
                                [&](const auto& live) { return live->id == id; });
  return key == keys.live.end() ? nullptr : *key;
}

auto failed(HandshakeError error) {
  return base::unexpected<HandshakeError>(error);
}

}  // namespace

Step<AwaitVouch> AwaitHello::hello(base::MutableBytes body, const packet::ServerKeys& keys,
                                   base::Rng& rng, ByteQueue& out) && {
  if (!is_body(body, kHelloType, kHelloSize)) return failed(HandshakeError::bad_body);
  const HelloClear clear = parse_hello(body);
  AwaitVouch next;
  next.server_ = find_key(keys, clear.key_id);
  if (!next.server_) return failed(HandshakeError::unknown_key);
  next.hello_ = base::load_array<kHelloSize>(body.data());
  next.client_key_ = clear.client_key;
  const auto hello_key = crypto::shared_key(clear.client_key, next.server_->secret_key);
  if (!hello_key) return failed(HandshakeError::low_order);
  auto client_tag = open_hello(body, *hello_key);
  if (!client_tag) return failed(HandshakeError::not_authentic);
  next.client_tag_ = std::move(*client_tag);

  crypto::KeyPair ephemeral = crypto::generate_key_pair(rng);
  next.server_ephemeral_ = ephemeral.public_key;
  next.server_ephemeral_secret_ = std::move(ephemeral.secret_key);
  auto session_key = crypto::shared_key(clear.client_key, next.server_ephemeral_secret_);
  if (!session_key) return failed(HandshakeError::low_order);
  next.session_key_ = std::move(*session_key);
  rng.fill(next.server_tag_.bytes());
  BoxNonce nonce;
  rng.fill(nonce);
  append_body(
      out, seal_cookie({next.server_ephemeral_, next.client_tag_.copy(), next.server_tag_.copy()},
                       nonce, *hello_key));
  return next;
}

Step<AwaitConfirm> AwaitVouch::vouch(base::MutableBytes body) && {
  if (!is_body(body, kVouchType, kVouchSize)) return failed(HandshakeError::bad_body);
  const auto contents = open_vouch(body, session_key_);
  if (!contents) return failed(HandshakeError::not_authentic);
  const crypto::PublicKey& client = contents->long_term_key;
  const auto voucher_key = crypto::shared_key(client, server_->secret_key);
  auto confirm_key = crypto::shared_key(client, server_ephemeral_secret_);
  if (!voucher_key || !confirm_key) return failed(HandshakeError::low_order);
  if (!open_voucher(contents->voucher, client_key_, server_tag_, *voucher_key))
    return failed(HandshakeError::wrong_tag);
  const Binding binding =
      bind({hello_, server_->public_key, client, server_ephemeral_, client_tag_, server_tag_});
  return AwaitConfirm(client, binding, std::move(*confirm_key), std::move(session_key_));
}

Step<Proven> AwaitConfirm::confirm(base::MutableBytes boxed, ByteQueue& out) && {
  RecordKey opener(Direction::to_server, session_key_.copy());
  if (!opener.open(boxed)) return failed(HandshakeError::not_authentic);
  packet::FrameReader frames(boxed.subspan(crypto::kTagSize));
  const auto frame = frames.next();
  if (!frame || frame->type != FrameType::confirm || frame->response || frames.next() ||
      !frames.ok())
    return failed(HandshakeError::bad_frames);
  if (!open_confirm(frame->payload, binding_, confirm_key_))
    return failed(HandshakeError::not_confirmed);
  RecordWriter writer(RecordKey(Direction::to_client, std::move(session_key_)), out);
  return Proven(client_key_, std::move(writer), std::move(opener));
}

Proven::Established Proven::accept(base::UnixMillis now, base::Duration idle) && {
  std::uint8_t payload[12];
  base::store_be64(payload, now);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(idle).count();
  base::store_be32(payload + 8, static_cast<std::uint32_t>(seconds));
  writer_.put_alone(FrameType::ready, 0, payload);
  return {std::move(writer_), std::move(opener_)};
}

void Proven::refuse(packet::ErrorCode code) && {
  std::uint8_t payload[2];
  base::store_be16(payload, static_cast<std::uint16_t>(code));
  writer_.put_alone(FrameType::error, 0, payload);
}

}  // namespace boxgram::stream
