// Bencoding, read in place and written in one order. Source: BEP 3, "bencoding"; BEP 44 (a stored
// value must be canonical).
//
//   integer  i-42e      string  4:spam      list  l...e      dictionary  d 3:key value ... e
//
// What is read must be *sound*: no leading zeros, no -0, no string beyond the end, at most
// kMaxDepth deep. The order of a dictionary's keys is a matter of its own: many nodes of Mainline
// write them unsorted, and an unsorted dictionary without repeated keys means the same. Whoever
// reads one refuses keys that come twice; whoever hashes a value asks is_canonical().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include <boxgram/base/bytes.hpp>

namespace boxgram::dht::bencode {

/// A message nests three deep, plus what an item brings along; libtorrent reads 10 in all.
inline constexpr unsigned kMaxDepth = 16;

/// A sound value inside somebody's buffer, which must outlive it.
class Value {
 public:
  /// The value at the front of `bytes`, whatever stands behind it; nothing if it is not sound.
  /// Cost: a few ns for each token, no allocation.
  static std::optional<Value> read(base::Bytes bytes);

  /// Exactly the value's own bytes, as they must be hashed and signed.
  [[nodiscard]] base::Bytes raw() const { return raw_; }

  /// The contents of a string; nothing for other kinds.
  [[nodiscard]] std::optional<base::Bytes> string() const;

  /// Nothing for other kinds and outside of 64 bits.
  [[nodiscard]] std::optional<std::int64_t> integer() const;

  [[nodiscard]] bool is_list() const { return raw_[0] == 'l'; }
  [[nodiscard]] bool is_dictionary() const { return raw_[0] == 'd'; }

 private:
  explicit Value(base::Bytes raw) : raw_(raw) {}

  base::Bytes raw_;
};

/// True if `bytes` is one sound value and nothing else, with the keys of each dictionary in rising
/// order as raw strings, none of them twice: the one form that all readers agree on.
bool is_canonical(base::Bytes bytes);

/// Walks a list or a dictionary. After an unsound element next() gives nothing more and ok() is
/// false for good; after the closing `e` ok() is true and rest() is what follows it.
class Walk {
 public:
  [[nodiscard]] bool ok() const { return state_ != State::broken; }
  [[nodiscard]] base::Bytes rest() const { return rest_; }

 protected:
  Walk(base::Bytes bytes, char opening);
  /// True if an element follows.
  bool more();
  std::optional<Value> value();
  void break_off() { state_ = State::broken; }

 private:
  enum class State : std::uint8_t { inside, ended, broken };

  base::Bytes rest_;
  State state_ = State::inside;
};

class List : public Walk {
 public:
  /// `bytes` begin with the list; anything else is a broken walk.
  explicit List(base::Bytes bytes) : Walk(bytes, 'l') {}
  std::optional<Value> next();
};

struct Entry {
  std::string_view key;
  Value value;
};

class Dictionary : public Walk {
 public:
  /// `bytes` begin with the dictionary; anything else is a broken walk.
  explicit Dictionary(base::Bytes bytes) : Walk(bytes, 'd') {}
  std::optional<Entry> next();
};

/// Writes canonical form into a buffer; what does not fit fails for good: write a whole value, then
/// ask ok() once. Keys must rise within a dictionary and outlive the encoder; a wrong order is our
/// own mistake and ends the program.
class Encoder {
 public:
  explicit Encoder(base::MutableBytes out) : out_(out) {}

  [[nodiscard]] bool ok() const { return out_.ok(); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

  void integer(std::int64_t value);
  void string(base::Bytes value);
  void string(std::string_view value) { string(base::as_bytes(value)); }
  /// Opens a string of `size` bytes, which the caller writes into out().
  void begin_string(std::size_t size);
  /// A value that is already encoded.
  void raw(base::Bytes value) { out_.bytes(value); }
  void begin_list();
  void begin_dictionary();
  void key(std::string_view key);
  /// Closes the innermost list or dictionary.
  void end();

  /// What begin_string() has announced goes here.
  base::Writer& out() { return out_; }

 private:
  static constexpr std::size_t kMaxOpen = 4;  // a message, its arguments, a list in them

  void open(char c);
  void decimal(std::int64_t value);

  base::Writer out_;
  std::size_t open_ = 0;
  std::array<std::string_view, kMaxOpen> last_key_;
  std::array<bool, kMaxOpen> has_key_{};
};

}  // namespace boxgram::dht::bencode
