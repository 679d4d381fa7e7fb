#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/answer_builder.hpp>

#include "name_hash.hpp"
#include "opt.hpp"

namespace boxgram::dns {
namespace {

/// RFC 2308, section 5: 1 to 3 hours are sensible, one day is too long.
constexpr std::uint32_t kMaxNegativeTtl = 3 * 3'600;
/// RFC 2181, section 8: a TTL with the top bit set is zero.
constexpr std::uint32_t kMaxTtl = 0x7fffffff;
constexpr std::size_t kMaxEdeOptions = 512;
/// Steps in a chain of RRsets before a record is taken for a set of its own: bounds the work for
/// an answer of thousands of different owners.
constexpr int kMaxSetSteps = 64;
/// How far a compression pointer of 14 bits reaches.
constexpr std::size_t kPointerReach = 0x4000;

}  // namespace

AnswerBuilder::AnswerBuilder()
    : body_(std::make_unique_for_overwrite<std::uint8_t[]>(kMaxMessageSize)) {}

void AnswerBuilder::start(base::Bytes question_name, std::uint16_t type, std::uint16_t rr_class) {
  BOXGRAM_CHECK(uncompressed_name_size(question_name) == question_name.size());
  size_ = 0;
  owner_at_ = 0;
  ttl_offsets_.clear();
  records_.clear();
  ede_options_.clear();
  suffixes_.fill({});
  sets_.fill(0);
  counts_.fill(0);
  type_ = type;
  fits_ = true;
  has_data_ = has_ns_ = false;
  soa_ = 0;
  soa_minimum_ = 0;
  question_size_ = question_name.size();
  append_name(question_name, true);
  append_u16(type);
  append_u16(rr_class);
}

void AnswerBuilder::append(base::Bytes bytes) {
  if (bytes.size() > kMaxMessageSize - kHeaderSize - size_) {
    fits_ = false;
    return;
  }
  if (!bytes.empty()) std::memcpy(body_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void AnswerBuilder::append_u16(std::uint16_t value) {
  std::uint8_t bytes[2];
  base::store_be16(bytes, value);
  append(bytes);
}

/// Compares an uncompressed suffix with a name that this builder has written.
bool AnswerBuilder::holds_suffix(std::size_t offset, base::Bytes suffix) const {
  std::size_t at = offset - kHeaderSize;
  for (;;) {
    while (body_[at] >= 0xc0) at = (base::load_be16(&body_[at]) & 0x3fff) - kHeaderSize;
    const std::size_t label = 1 + std::size_t{body_[at]};
    if (body_[at] != suffix[0] || std::memcmp(&body_[at], suffix.data(), label) != 0) return false;
    if (label == 1) return true;
    at += label;
    suffix = suffix.subspan(label);
  }
}

void AnswerBuilder::note_suffix(std::uint32_t hash, std::size_t offset) {
  if (offset >= kPointerReach) return;
  for (std::uint32_t i = 0; i < 4; ++i) {
    Suffix& place = suffixes_[(hash + i) % kSuffixes];
    if (place.offset != 0) continue;
    place = {static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(hash >> 16)};
    return;
  }
}

/// The offset of an equal suffix (in equal case, so that no name changes its look), or 0.
std::size_t AnswerBuilder::find_suffix(std::uint32_t hash, base::Bytes suffix) const {
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto [offset, tag] = suffixes_[(hash + i) % kSuffixes];
    if (offset == 0) return 0;
    if (tag == hash >> 16 && holds_suffix(offset, suffix)) return offset;
  }
  return 0;
}

void AnswerBuilder::append_name(base::Bytes name, bool compress) {
  // Most owners are the question's name. Its case is the client's, whatever the upstream says.
  if (compress && size_ != 0 && name.size() > 1 &&
      equal_names(name, {body_.get(), question_size_})) {
    append_u16(0xc000 | kHeaderSize);
    return;
  }
  if (!compress || name.size() == 1) return append(name);

  std::uint8_t starts[Name::kMaxSize / 2];
  std::uint32_t hashes[Name::kMaxSize / 2];
  std::size_t labels = 0;
  for (std::size_t at = 0; name[at] != 0; at += 1 + std::size_t{name[at]})
    starts[labels++] = static_cast<std::uint8_t>(at);
  std::uint64_t hash = 0;
  for (std::size_t i = labels; i-- > 0;) {
    hash = mix_bytes(hash, name.subspan(starts[i] + 1u, name[starts[i]]));
    hashes[i] = static_cast<std::uint32_t>(hash >> 32);
  }
  const std::size_t begin = kHeaderSize + size_;
  for (std::size_t i = 0; i < labels; ++i) {
    const std::size_t target = find_suffix(hashes[i], name.subspan(starts[i]));
    if (target == 0) continue;
    append(name.first(starts[i]));
    append_u16(static_cast<std::uint16_t>(0xc000 | target));
    labels = i;
    break;
  }
  if (size_ + kHeaderSize == begin) append(name);
  if (!fits_) return;
  for (std::size_t i = 0; i < labels; ++i) note_suffix(hashes[i], begin + starts[i]);
}

/// The records of a set follow one another: an owner like the last one costs one comparison.
void AnswerBuilder::append_owner(base::Bytes owner) {
  if (owner_at_ != 0 && holds_suffix(owner_at_, owner))
    return append_u16(static_cast<std::uint16_t>(0xc000 | owner_at_));
  const std::size_t begin = size_;
  append_name(owner, true);
  std::uint8_t lowered[Name::kMaxSize];
  lower_into(owner, {lowered, owner.size()});
  owner_hash_ = mix_bytes(0, {lowered, owner.size()});
  owner_at_ = 0;
  if (!fits_ || owner.size() == 1) return;  // a root byte is shorter than a pointer to one
  const bool is_pointer = body_[begin] >= 0xc0;
  const std::size_t at = is_pointer ? base::load_be16(&body_[begin]) & 0x3fff : kHeaderSize + begin;
  if (at < kPointerReach) owner_at_ = at;
}

bool AnswerBuilder::add(Section section, const Name& owner, std::uint16_t type,
                        std::uint16_t rr_class, std::uint32_t ttl, base::Bytes message,
                        std::size_t offset, std::size_t size) {
  BOXGRAM_CHECK(offset <= message.size() && size <= message.size() - offset && size <= 0xffff);
  if (ttl > kMaxTtl) ttl = 0;
  append_owner(owner.wire());
  append_u16(type);
  append_u16(rr_class);
  const std::size_t ttl_at = size_;
  const std::uint8_t ttl_and_size[6] = {};
  append(ttl_and_size);
  const std::size_t rdata_at = size_;
  if (!fits_) return true;
  if (!append_rdata(type, message, offset, size)) return false;
  if (!fits_) return true;
  base::store_be32(&body_[ttl_at], ttl);
  base::store_be16(&body_[rdata_at - 2], static_cast<std::uint16_t>(size_ - rdata_at));
  ttl_offsets_.push_back(static_cast<std::uint16_t>(ttl_at));
  const std::uint16_t covered =
      type == rrtype::rrsig && size >= 2 ? base::load_be16(&body_[rdata_at]) : std::uint16_t{0};
  note_record(section, std::uint32_t{type} << 16 | covered, rr_class, ttl);
  return true;
}

void AnswerBuilder::note_record(Section section, std::uint32_t type_covered, std::uint16_t rr_class,
                                std::uint32_t ttl) {
  const auto index = static_cast<std::uint16_t>(records_.size());
  const auto type = static_cast<std::uint16_t>(type_covered >> 16);
  ++counts_[static_cast<std::size_t>(section)];
  if (section == Section::answer && (type == type_ || type_ == rrtype::any)) has_data_ = true;
  if (section == Section::authority && type == rrtype::ns) has_ns_ = true;
  if (section == Section::authority && type == rrtype::soa && soa_ == 0) {
    soa_ = static_cast<std::uint16_t>(index + 1);
    soa_minimum_ = std::min(base::load_be32(&body_[size_ - 4]), kMaxTtl);
  }

  const std::uint64_t set =
      mix(mix(owner_hash_ ^ static_cast<std::uint64_t>(section), type_covered), rr_class);
  std::uint16_t& head = sets_[(set >> 32) % kSets];
  Mark mark{set, ttl, head, index};
  int steps = 0;
  for (std::uint16_t at = head; at != 0 && steps < kMaxSetSteps; at = records_[at - 1].next) {
    ++steps;
    Mark& other = records_[at - 1];
    if (other.set != set) continue;
    other.ttl = std::min(other.ttl, ttl);
    mark.leader = static_cast<std::uint16_t>(at - 1);
    break;
  }
  // Only leaders are chained, so a set of a thousand records is one step long.
  if (mark.leader == index) head = static_cast<std::uint16_t>(index + 1);
  records_.push_back(mark);
}

void AnswerBuilder::add_extended_error(std::uint16_t code, base::Bytes text) {
  const std::size_t size = 6 + text.size();
  if (size > kMaxEdeOptions - ede_options_.size()) return;
  const std::size_t at = ede_options_.size();
  ede_options_.resize(at + size);
  const ExtendedError error{code, base::as_text(text)};
  write_errors(&ede_options_[at], {&error, 1});
}

/// Writes every TTL: the least of its RRset. Returns the least of all.
std::uint32_t AnswerBuilder::settle_ttls(bool negative) {
  std::uint32_t least = kMaxTtl;
  // A negative answer lives as long as its SOA says, and the next cache must not hold it longer
  // (RFC 2308, section 3).
  if (negative && soa_ != 0) {
    Mark& leader = records_[records_[soa_ - 1].leader];
    leader.ttl = std::min(leader.ttl, soa_minimum_);
  }
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const std::uint32_t ttl = records_[records_[i].leader].ttl;
    base::store_be32(&body_[ttl_offsets_[i]], ttl);
    least = std::min(least, ttl);
  }
  return least;
}

AnswerView AnswerBuilder::finish(Rcode rcode, bool authentic, bool truncated) {
  BOXGRAM_CHECK(fits_);
  AnswerView view;
  view.rcode = rcode;
  view.authentic = authentic;
  view.truncated = truncated;
  view.answers = counts_[0];
  view.authorities = counts_[1];
  view.additionals = counts_[2];
  if (rcode == Rcode::nx_domain) {
    view.kind = AnswerKind::nxdomain;
  } else if (rcode != Rcode::no_error) {
    view.kind = AnswerKind::failure;
  } else if (has_data_) {
    view.kind = AnswerKind::positive;
  } else if (counts_[0] == 0 && soa_ == 0 && has_ns_) {
    view.kind = AnswerKind::referral;
  } else {
    view.kind = AnswerKind::nodata;
  }
  const bool negative = view.kind == AnswerKind::nxdomain || view.kind == AnswerKind::nodata;
  const std::uint32_t least = settle_ttls(negative);
  if (!truncated && !records_.empty()) {
    if (view.kind == AnswerKind::positive) view.lifetime = least;
    if (negative && soa_ != 0) view.lifetime = std::min(least, kMaxNegativeTtl);
  }
  view.body = {body_.get(), size_};
  view.ttl_offsets = ttl_offsets_;
  view.ede_options = ede_options_;
  return view;
}

}  // namespace boxgram::dns
