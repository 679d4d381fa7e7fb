// The names above a name, nearest first, as offsets into its wire form.
#pragma once

#include <boxgram/base/bytes.hpp>

namespace boxgram::dns {

class AncestorWalk {
 public:
  /// Ends above the names of `least` bytes.
  explicit AncestorWalk(base::Bytes name, std::size_t least = 1) : name_(name), least_(least) {}

  /// Goes one label up. False at the root, which is never asked, and after 16 steps: names are
  /// rarely deeper, and a name of 127 labels must not cost 127 hashes.
  bool next() {
    if (name_[offset_] == 0 || steps_++ == kMaxSteps) return false;
    offset_ += 1 + std::size_t{name_[offset_]};
    return name_[offset_] != 0 && name_.size() - offset_ >= least_;
  }
  [[nodiscard]] std::size_t offset() const { return offset_; }

 private:
  static constexpr int kMaxSteps = 16;

  base::Bytes name_;
  std::size_t least_;
  std::size_t offset_ = 0;
  int steps_ = 0;
};

}  // namespace boxgram::dns
