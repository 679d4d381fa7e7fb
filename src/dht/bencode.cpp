#include <charconv>

#include <boxgram/base/check.hpp>
#include <boxgram/dht/bencode.hpp>

namespace boxgram::dht::bencode {
namespace {

using base::Bytes;

/// No datagram holds a string of more than 65,535 bytes.
constexpr std::size_t kMaxLengthDigits = 5;

constexpr bool is_digit(std::uint8_t c) {
  return c >= '0' && c <= '9';
}

std::size_t count_digits(Bytes bytes) {
  std::size_t n = 0;
  while (n < bytes.size() && is_digit(bytes[n])) ++n;
  return n;
}

/// The size of "i...e" at the front, 0 if it is not sound.
std::size_t measure_integer(Bytes bytes) {
  const std::size_t sign = bytes.size() > 1 && bytes[1] == '-' ? 1 : 0;
  const Bytes digits = bytes.subspan(1 + sign);
  const std::size_t n = count_digits(digits);
  if (n == 0 || n == digits.size() || digits[n] != 'e') return 0;
  if (digits[0] == '0' && (n > 1 || sign == 1)) return 0;
  return 1 + sign + n + 1;
}

struct StringSize {
  std::size_t head = 0;  ///< "4:", 0 if the string is not sound
  std::size_t body = 0;
};

StringSize measure_string(Bytes bytes) {
  const std::size_t n = count_digits(bytes.first(std::min(bytes.size(), kMaxLengthDigits + 1)));
  if (n == 0 || n > kMaxLengthDigits || n == bytes.size() || bytes[n] != ':') return {};
  if (bytes[0] == '0' && n > 1) return {};
  std::size_t length = 0;
  for (const std::uint8_t digit : bytes.first(n)) length = length * 10 + (digit - '0');
  if (length > bytes.size() - n - 1) return {};
  return {n + 1, length};
}

enum class Order : std::uint8_t { any, canonical };

std::size_t measure(Bytes bytes, unsigned depth, Order order);

/// The size of a list or dictionary at the front, 0 if it is not sound.
std::size_t measure_container(Bytes bytes, unsigned depth, Order order) {
  const bool dictionary = bytes[0] == 'd';
  std::size_t at = 1;
  std::string_view last;
  bool first = true;
  while (at < bytes.size() && bytes[at] != 'e') {
    if (dictionary) {
      const StringSize key = measure_string(bytes.subspan(at));
      if (key.head == 0) return 0;
      const auto text = base::as_text(bytes.subspan(at + key.head, key.body));
      if (order == Order::canonical && !first && text <= last) return 0;
      last = text;
      first = false;
      at += key.head + key.body;
    }
    const std::size_t size = measure(bytes.subspan(at), depth, order);
    if (size == 0) return 0;
    at += size;
  }
  return at < bytes.size() ? at + 1 : 0;
}

/// The size of the value at the front, which may nest `depth` deep; 0 if it is not sound.
std::size_t measure(Bytes bytes, unsigned depth, Order order) {
  if (bytes.empty()) return 0;
  switch (bytes[0]) {
    case 'i':
      return measure_integer(bytes);
    case 'l':
    case 'd':
      return depth == 0 ? 0 : measure_container(bytes, depth - 1, order);
    default:
      const StringSize string = measure_string(bytes);
      return string.head + string.body;
  }
}

}  // namespace

std::optional<Value> Value::read(Bytes bytes) {
  const std::size_t size = measure(bytes, kMaxDepth, Order::any);
  if (size == 0) return std::nullopt;
  return Value(bytes.first(size));
}

std::optional<Bytes> Value::string() const {
  const StringSize size = measure_string(raw_);
  if (size.head == 0) return std::nullopt;
  return raw_.subspan(size.head, size.body);
}

std::optional<std::int64_t> Value::integer() const {
  if (raw_[0] != 'i') return std::nullopt;
  const std::string_view text = base::as_text(raw_.subspan(1, raw_.size() - 2));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

bool is_canonical(Bytes bytes) {
  return !bytes.empty() && measure(bytes, kMaxDepth, Order::canonical) == bytes.size();
}

Walk::Walk(Bytes bytes, char opening) : rest_(bytes) {
  if (rest_.empty() || rest_[0] != static_cast<std::uint8_t>(opening))
    state_ = State::broken;
  else
    rest_ = rest_.subspan(1);
}

bool Walk::more() {
  if (state_ != State::inside) return false;
  if (rest_.empty()) {
    state_ = State::broken;
  } else if (rest_[0] == 'e') {
    state_ = State::ended;
    rest_ = rest_.subspan(1);
  }
  return state_ == State::inside;
}

std::optional<Value> Walk::value() {
  const auto value = Value::read(rest_);
  if (value)
    rest_ = rest_.subspan(value->raw().size());
  else
    state_ = State::broken;
  return value;
}

std::optional<Value> List::next() {
  return more() ? value() : std::nullopt;
}

std::optional<Entry> Dictionary::next() {
  if (!more()) return std::nullopt;
  const auto key = value();
  if (!key) return std::nullopt;
  const auto text = key->string();
  if (!text) {
    break_off();
    return std::nullopt;
  }
  const auto element = value();
  if (!element) return std::nullopt;
  return Entry{base::as_text(*text), *element};
}

void Encoder::decimal(std::int64_t value) {
  char text[20];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out_.bytes(base::as_bytes({text, static_cast<std::size_t>(end - text)}));
}

void Encoder::integer(std::int64_t value) {
  out_.u8('i');
  decimal(value);
  out_.u8('e');
}

void Encoder::begin_string(std::size_t size) {
  decimal(static_cast<std::int64_t>(size));
  out_.u8(':');
}

void Encoder::string(Bytes value) {
  begin_string(value.size());
  out_.bytes(value);
}

void Encoder::open(char c) {
  BOXGRAM_CHECK(open_ < kMaxOpen);
  has_key_[open_] = false;
  ++open_;
  out_.u8(static_cast<std::uint8_t>(c));
}

void Encoder::begin_list() {
  open('l');
}

void Encoder::begin_dictionary() {
  open('d');
}

void Encoder::key(std::string_view key) {
  BOXGRAM_CHECK(open_ > 0);
  const std::size_t innermost = open_ - 1;
  BOXGRAM_CHECK(!has_key_[innermost] || key > last_key_[innermost]);
  has_key_[innermost] = true;
  last_key_[innermost] = key;
  string(key);
}

void Encoder::end() {
  BOXGRAM_CHECK(open_ > 0);
  --open_;
  out_.u8('e');
}

}  // namespace boxgram::dht::bencode
