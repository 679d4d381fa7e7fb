#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;

/// lower() for eight bytes at once: 0x20 is set in every byte of 'A'..'Z'.
std::uint64_t lower_word(std::uint64_t word) {
  const std::uint64_t low = word & kOnes * 0x7f;
  const std::uint64_t from_a = low + kOnes * (0x80 - 'A');
  const std::uint64_t beyond_z = low + kOnes * (0x7f - 'Z');
  return word | ((from_a ^ beyond_z) & ~word & kOnes * 0x80) >> 2;
}

std::uint64_t load_word(const std::uint8_t* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// Reads one character of a label in text form, an escape perhaps. False for a bad escape.
bool read_escaped(std::string_view text, std::size_t& i, std::uint8_t& out) {
  const auto is_digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (text[i] != '\\') {
    out = static_cast<std::uint8_t>(text[i++]);
    return true;
  }
  if (++i == text.size()) return false;
  if (!is_digit(i)) {
    out = static_cast<std::uint8_t>(text[i++]);
    return true;
  }
  if (i + 2 >= text.size() || !is_digit(i + 1) || !is_digit(i + 2)) return false;
  const int value = (text[i] - '0') * 100 + (text[i + 1] - '0') * 10 + (text[i + 2] - '0');
  if (value > 255) return false;
  out = static_cast<std::uint8_t>(value);
  i += 3;
  return true;
}

}  // namespace

void lower_into(base::Bytes from, base::MutableBytes to) {
  const std::size_t size = from.size();
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) to[i] = lower(from[i]);
    return;
  }
  const auto word_at = [&](std::size_t i) {
    const std::uint64_t word = lower_word(load_word(from.data() + i));
    std::memcpy(to.data() + i, &word, sizeof word);
  };
  for (std::size_t i = 0; i + 8 < size; i += 8) word_at(i);
  word_at(size - 8);  // overlaps the word before it, which does no harm
}

bool equal_names(base::Bytes a, base::Bytes b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i)
      if (lower(a[i]) != lower(b[i])) return false;
    return true;
  }
  const auto differs_at = [&](std::size_t i) {
    return lower_word(load_word(a.data() + i)) != lower_word(load_word(b.data() + i));
  };
  for (std::size_t i = 0; i + 8 < size; i += 8)
    if (differs_at(i)) return false;
  return !differs_at(size - 8);
}

std::size_t uncompressed_name_size(base::Bytes bytes) {
  const std::size_t limit = std::min(bytes.size(), Name::kMaxSize);
  std::size_t at = 0;
  while (at < limit) {
    const std::uint8_t length = bytes[at];
    if (length == 0) return at + 1;
    if (length > Name::kMaxLabel) return 0;
    at += 1 + std::size_t{length};
  }
  return 0;
}

base::expected<Name, NameError> Name::read(base::Bytes message, std::size_t& offset) {
  base::expected<Name, NameError> result;
  Name& name = *result;
  std::size_t at = offset;
  std::size_t run = offset;  // where the present run of labels began: pointers go before it
  std::size_t end = 0;       // behind the first pointer
  std::size_t size = 0;
  std::size_t pointers = 0;
  for (;;) {
    if (at >= message.size()) return base::unexpected(NameError::truncated);
    const std::uint8_t length = message[at];
    if (length == 0) break;
    if (length <= kMaxLabel) {
      const std::size_t whole = 1 + std::size_t{length};
      if (whole > message.size() - at) return base::unexpected(NameError::truncated);
      if (size + whole >= kMaxSize) return base::unexpected(NameError::too_long);
      std::memcpy(name.wire_ + size, message.data() + at, whole);
      size += whole;
      at += whole;
    } else if (length >= 0xc0) {
      if (message.size() - at < 2) return base::unexpected(NameError::truncated);
      const std::size_t target = base::load_be16(message.data() + at) & 0x3fff;
      if (target >= run || target < kHeaderSize || ++pointers > kMaxPointers)
        return base::unexpected(NameError::bad_pointer);
      if (end == 0) end = at + 2;
      at = run = target;
    } else {
      return base::unexpected(NameError::bad_label_type);
    }
  }
  name.wire_[size] = 0;
  name.size_ = static_cast<std::uint8_t>(size + 1);
  offset = end != 0 ? end : at + 1;
  return result;
}

base::expected<Name, NameError> Name::from_wire(base::Bytes wire) {
  std::size_t at = 0;
  for (;;) {
    if (at >= kMaxSize) return base::unexpected(NameError::too_long);
    if (at >= wire.size()) return base::unexpected(NameError::truncated);
    if (wire[at] == 0) break;
    if (wire[at] > kMaxLabel) return base::unexpected(NameError::bad_label_type);
    at += 1 + std::size_t{wire[at]};
  }
  if (at + 1 != wire.size()) return base::unexpected(NameError::truncated);
  Name name;
  name.size_ = static_cast<std::uint8_t>(wire.size());
  std::memcpy(name.wire_, wire.data(), wire.size());
  return name;
}

base::expected<Name, NameError> Name::from_text(std::string_view text) {
  Name name;
  if (text == ".") return name;
  if (text.empty()) return base::unexpected(NameError::empty_label);
  std::size_t label = 0;  // the place of the present label's length byte
  std::size_t size = 1;
  std::size_t i = 0;
  while (i < text.size()) {
    const bool dot = text[i] == '.';
    std::uint8_t c = 0;
    if (dot) {
      if (size == label + 1) return base::unexpected(NameError::empty_label);
      name.wire_[label] = static_cast<std::uint8_t>(size - label - 1);
      label = size;
      if (++i == text.size()) break;
    } else {
      if (!read_escaped(text, i, c)) return base::unexpected(NameError::bad_escape);
      if (size - label - 1 == kMaxLabel) return base::unexpected(NameError::label_too_long);
      name.wire_[size] = c;
    }
    // The root byte at the end needs the last place.
    if (++size >= kMaxSize) return base::unexpected(NameError::too_long);
  }
  if (label != size) {  // no dot at the end
    name.wire_[label] = static_cast<std::uint8_t>(size - label - 1);
    label = size;
  }
  name.wire_[label] = 0;
  name.size_ = static_cast<std::uint8_t>(label + 1);
  return name;
}

std::string Name::to_text() const {
  if (is_root()) return ".";
  std::string text;
  for (std::size_t at = 0; wire_[at] != 0; at += 1 + std::size_t{wire_[at]}) {
    for (std::size_t i = at + 1; i <= at + wire_[at]; ++i) {
      const std::uint8_t c = wire_[i];
      if (c <= ' ' || c > '~') {
        const auto digit = [](int d) { return static_cast<char>('0' + d); };
        text += {'\\', digit(c / 100), digit(c / 10 % 10), digit(c % 10)};
        continue;
      }
      if (c == '.' || c == '\\') text += '\\';
      text += static_cast<char>(c);
    }
    text += '.';
  }
  return text;
}

std::size_t Name::label_count() const {
  std::size_t count = 0;
  for (std::size_t at = 0; wire_[at] != 0; at += 1 + std::size_t{wire_[at]}) ++count;
  return count;
}

Name Name::lowered() const {
  Name name;
  name.size_ = size_;
  lower_into(wire(), {name.wire_, size_});
  return name;
}

Name Name::parent() const {
  Name name;
  if (is_root()) return name;
  const std::size_t skip = 1 + std::size_t{wire_[0]};
  name.size_ = static_cast<std::uint8_t>(size_ - skip);
  std::memcpy(name.wire_, wire_ + skip, name.size_);
  return name;
}

bool Name::is_subdomain_of(const Name& ancestor) const {
  std::size_t at = 0;
  while (std::size_t{size_} - at > ancestor.size_) at += 1 + std::size_t{wire_[at]};
  return equal_names(wire().subspan(at), ancestor.wire());
}

std::uint64_t Name::hash(const crypto::ShortHashKey& key) const {
  return key(lowered().wire());
}

std::weak_ordering operator<=>(const Name& a, const Name& b) {
  const Name x = a.lowered();
  const Name y = b.lowered();
  const int order = std::memcmp(x.wire_, y.wire_, std::min(x.size_, y.size_));
  if (order != 0) return order < 0 ? std::weak_ordering::less : std::weak_ordering::greater;
  return x.size_ <=> y.size_;
}

}  // namespace boxgram::dns
