#include "client_handshake.hpp"

namespace boxgram::stream {
namespace {

using packet::FrameType;

constexpr std::size_t kReadySize = 12;

auto failed(HandshakeError error) {
  return base::unexpected<HandshakeError>(error);
}

HandshakeError refusal(packet::ErrorCode code) {
  return code == packet::ErrorCode::auth ? HandshakeError::not_authorised : HandshakeError::busy;
}

BoxNonce fresh_nonce(base::Rng& rng) {
  BoxNonce nonce;
  rng.fill(nonce);
  return nonce;
}

}  // namespace

Step<AwaitCookie> AwaitCookie::hello(const crypto::PublicKey& server_key, base::Rng& rng,
                                     ByteQueue& out) {
  AwaitCookie next;
  next.server_key_ = server_key;
  next.ephemeral_ = crypto::generate_key_pair(rng);
  auto key = crypto::shared_key(server_key, next.ephemeral_.secret_key);
  if (!key) return failed(HandshakeError::low_order);
  next.hello_key_ = std::move(*key);
  rng.fill(next.client_tag_.bytes());
  next.hello_ = seal_hello(packet::key_id(server_key), next.ephemeral_.public_key, next.client_tag_,
                           next.hello_key_);
  append_body(out, next.hello_);
  return next;
}

Step<AwaitReady> AwaitCookie::cookie(base::MutableBytes body, const crypto::KeyPair& client,
                                     base::Rng& rng, ByteQueue& out) && {
  if (!is_body(body, kCookieType, kCookieSize)) return failed(HandshakeError::bad_body);
  const auto contents = open_cookie(body, hello_key_);
  if (!contents) return failed(HandshakeError::not_authentic);
  if (!crypto::equal_constant_time(contents->client_tag.bytes(), client_tag_.bytes()))
    return failed(HandshakeError::wrong_tag);
  const crypto::PublicKey& server_ephemeral = contents->server_key;
  auto session_key = crypto::shared_key(server_ephemeral, ephemeral_.secret_key);
  const auto confirm_key = crypto::shared_key(server_ephemeral, client.secret_key);
  const auto voucher_key = crypto::shared_key(server_key_, client.secret_key);
  if (!session_key || !confirm_key || !voucher_key) return failed(HandshakeError::low_order);

  const auto voucher =
      seal_voucher(ephemeral_.public_key, contents->server_tag, fresh_nonce(rng), *voucher_key);
  append_body(out, seal_vouch(client.public_key, voucher, *session_key));
  const Binding binding = bind({hello_, server_key_, client.public_key, server_ephemeral,
                                client_tag_, contents->server_tag});
  RecordKey opener(Direction::to_client, session_key->copy());
  RecordWriter writer(RecordKey(Direction::to_server, std::move(*session_key)), out);
  writer.put_alone(FrameType::confirm, 0, seal_confirm(binding, fresh_nonce(rng), *confirm_key));
  return AwaitReady(std::move(writer), std::move(opener));
}

Step<AwaitReady::Established> AwaitReady::ready(base::MutableBytes boxed) && {
  if (!opener_.open(boxed)) return failed(HandshakeError::not_authentic);
  packet::FrameReader frames(boxed.subspan(crypto::kTagSize));
  const auto frame = frames.next();
  if (!frame || frames.next() || !frames.ok()) return failed(HandshakeError::bad_frames);
  if (frame->type == FrameType::error && frame->payload.size() >= 2)
    return failed(refusal(packet::ErrorCode{base::load_be16(frame->payload.data())}));
  if (frame->type != FrameType::ready || frame->response || frame->payload.size() != kReadySize)
    return failed(HandshakeError::bad_frames);
  const std::uint8_t* payload = frame->payload.data();
  return Established{std::move(writer_), std::move(opener_), base::load_be64(payload),
                     std::chrono::seconds(base::load_be32(payload + 8))};
}

}  // namespace boxgram::stream
