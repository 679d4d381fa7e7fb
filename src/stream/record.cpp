#include "record.hpp"

namespace boxgram::stream {

crypto::Nonce RecordKey::nonce() const {
  std::uint8_t tail[16];
  base::store_be64(tail, epoch_);
  base::store_be64(tail + 8, counter_);
  return crypto::make_nonce(direction_ == Direction::to_server ? "BXG1-SM>" : "BXG1-SM<", tail);
}

void RecordKey::seal(base::MutableBytes boxed) {
  crypto::box(boxed, nonce(), key_);
  ++counter_;
  bytes_ += boxed.size();
}

bool RecordKey::open(base::MutableBytes boxed) {
  if (!crypto::box_open(boxed, nonce(), key_)) return false;
  ++counter_;
  bytes_ += boxed.size();
  return true;
}

void RecordKey::next_epoch(crypto::SharedKey key) {
  key_ = std::move(key);
  ++epoch_;
  counter_ = 0;
  bytes_ = 0;
}

}  // namespace boxgram::stream
