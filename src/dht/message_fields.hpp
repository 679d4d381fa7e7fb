// The named fields of a dictionary, each at most once, and their forms.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <boxgram/dht/bencode.hpp>
#include <boxgram/dht/message.hpp>

namespace boxgram::dht {

/// The values of those keys of a dictionary that `Key` names, found by it. The order of keys in the
/// dictionary does not matter, and other keys may do as they like.
template <class Key, std::size_t N>
class Fields {
 public:
  explicit Fields(const std::array<std::string_view, N>& names) : names_(names) {}

  /// False if the dictionary is not sound, or one of the keys stands in it twice; what has been
  /// read before an unsound place can still be asked for.
  bool read(bencode::Dictionary& dictionary) {
    bool once = true;
    while (const auto entry = dictionary.next()) {
      const auto name = std::find(names_.begin(), names_.end(), entry->key);
      if (name == names_.end()) continue;
      auto& slot = values_[static_cast<std::size_t>(name - names_.begin())];
      if (slot)
        once = false;
      else
        slot = entry->value;
    }
    return once && dictionary.ok();
  }

  const std::optional<bencode::Value>& operator[](Key key) const {
    return values_[static_cast<std::size_t>(key)];
  }

 private:
  const std::array<std::string_view, N>& names_;
  std::array<std::optional<bencode::Value>, N> values_;
};

/// Takes fields in the form that they must have. After one of a wrong form ok() is false for good:
/// take them all, then ask once.
class Taker {
 public:
  using Field = std::optional<bencode::Value>;

  [[nodiscard]] bool ok() const { return ok_; }
  void require(bool fact) { ok_ = ok_ && fact; }

  /// A string, empty if there is none.
  base::Bytes string(const Field& field, std::size_t most) {
    if (!field) return {};
    const auto string = field->string();
    require(string && string->size() <= most);
    return string.value_or(base::Bytes{});
  }

  /// A string of exactly this size, or nothing if there is none.
  template <std::size_t Size>
  std::optional<std::array<std::uint8_t, Size>> array(const Field& field) {
    if (!field) return std::nullopt;
    const auto string = field->string();
    require(string && string->size() == Size);
    if (!ok_) return std::nullopt;
    std::array<std::uint8_t, Size> bytes;
    std::copy(string->begin(), string->end(), bytes.begin());
    return bytes;
  }

  NodeId required_id(const Field& field) {
    const auto bytes = array<NodeId::kSize>(field);
    require(bytes.has_value());
    return NodeId{bytes.value_or(std::array<std::uint8_t, NodeId::kSize>{})};
  }

  std::optional<std::int64_t> integer(const Field& field) {
    if (!field) return std::nullopt;
    const auto integer = field->integer();
    require(integer.has_value());
    return integer;
  }

  bool flag(const Field& field) { return integer(field).value_or(0) != 0; }

  template <class Entry>
  CompactList<Entry> list(const Field& field, Family family) {
    const auto list = CompactList<Entry>::from(string(field, kMaxMessage), family);
    require(list.has_value());
    return list.value_or(CompactList<Entry>{});
  }

 private:
  bool ok_ = true;
};

}  // namespace boxgram::dht
