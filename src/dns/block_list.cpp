#include <boxgram/base/socket_address.hpp>
#include <boxgram/dns/block_list.hpp>

#include "suffix_hashes.hpp"
#include "text_lines.hpp"

namespace boxgram::dns {

namespace {

/// SuffixHashes gives odd numbers; the scope of an entry takes the lowest bit.
std::uint64_t keyed(std::uint64_t hash, BlockList::Scope scope) {
  return scope == BlockList::Scope::exact ? hash : hash ^ 1;
}

/// Names that every hosts file maps to this machine; blocking them would break it.
bool is_own_name(std::string_view name) {
  static constexpr std::string_view kOwn[] = {
      "localhost",     "localhost.localdomain", "local",        "broadcasthost",
      "ip6-localhost", "ip6-loopback",          "ip6-localnet", "ip6-mcastprefix",
      "ip6-allnodes",  "ip6-allrouters",        "ip6-allhosts", "0.0.0.0"};
  for (const auto own : kOwn)
    if (name == own) return true;
  return false;
}

/// The name in a line of the plain formats, with its scope.
std::string_view strip_marks(std::string_view word, BlockList::Scope& scope) {
  scope = BlockList::Scope::with_subdomains;
  if (word.starts_with("=")) {
    scope = BlockList::Scope::exact;
    return word.substr(1);
  }
  if (word.starts_with("||") && word.ends_with("^")) return word.substr(2, word.size() - 3);
  if (word.starts_with("*.")) return word.substr(2);
  return word;
}

/// Cheap, because lists have a million lines and few of them begin with an address.
bool looks_like_address(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos ||
         text.find(':') != std::string_view::npos;
}

/// A block list names hosts, so an octet outside of host names is a sign of another format.
bool looks_like_name(std::string_view text) {
  if (text.empty() || text == ".") return false;
  for (const char c : text) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
    if (!fine) return false;
  }
  return true;
}

}  // namespace

void BlockList::add(const Name& name, Scope scope) {
  const Name lowered = name.lowered();
  insert(keyed(SuffixHashes(lowered.wire()).whole(), scope));
}

ListReport BlockList::add_text(std::string_view text) {
  ListReport report;
  for_each_line(text, "#!", [&](std::uint32_t line, std::string_view rest) {
    const std::string_view first = next_word(rest);
    const bool hosts = looks_like_address(first) && base::parse_ip(first).has_value();
    if (hosts && rest.empty()) {
      report.add_mistake(line, "expected a name after the address " + quoted(first));
      return;
    }
    if (!hosts && !rest.empty()) {
      report.add_mistake(line, "expected one name, or an address and names, found " + quoted(rest) +
                                   " after " + quoted(first));
      return;
    }
    Scope scope = Scope::exact;
    std::string_view word = hosts ? next_word(rest) : strip_marks(first, scope);
    for (; !word.empty(); word = next_word(rest)) {
      if (hosts && is_own_name(word)) continue;
      const auto name = Name::from_text(word);
      if (!looks_like_name(word) || !name) {
        report.add_mistake(line, "expected a domain name, found " + quoted(word));
        return;
      }
      add(*name, scope);
      ++report.entries;
    }
  });
  return report;
}

std::optional<BlockList::Match> BlockList::match(const Name& name) const {
  if (size_ == 0) return std::nullopt;
  const Name lowered = name.lowered();
  const SuffixHashes hashes(lowered.wire());
  if (contains(keyed(hashes.whole(), Scope::exact))) return Match{lowered, Scope::exact};
  for (const auto& suffix : hashes.all())
    if (contains(keyed(suffix.hash, Scope::with_subdomains)))
      return Match{*Name::from_wire(lowered.wire().subspan(suffix.offset)), Scope::with_subdomains};
  return std::nullopt;
}

bool BlockList::blocks(const Name& name) const {
  if (size_ == 0) return false;
  const Name lowered = name.lowered();
  return blocks(SuffixHashes(lowered.wire()));
}

bool BlockList::blocks(const SuffixHashes& hashes) const {
  if (size_ == 0) return false;
  if (contains(keyed(hashes.whole(), Scope::exact))) return true;
  for (const auto& suffix : hashes.all())
    if (contains(keyed(suffix.hash, Scope::with_subdomains))) return true;
  return false;
}

void BlockList::insert(std::uint64_t hash) {
  if (hash == 0) hash = 2;  // 0 means a free slot
  if ((size_ + 1) * 4 > slots_.size() * 3) grow();
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash >> 8 & mask;; i = (i + 1) & mask) {
    if (slots_[i] == hash) return;
    if (slots_[i] != 0) continue;
    slots_[i] = hash;
    ++size_;
    return;
  }
}

bool BlockList::contains(std::uint64_t hash) const {
  if (hash == 0) hash = 2;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash >> 8 & mask; slots_[i] != 0; i = (i + 1) & mask)
    if (slots_[i] == hash) return true;
  return false;
}

void BlockList::grow() {
  std::vector<std::uint64_t> old(slots_.empty() ? 64 : slots_.size() * 2);
  old.swap(slots_);
  size_ = 0;
  for (const std::uint64_t hash : old)
    if (hash != 0) insert(hash);
}

}  // namespace boxgram::dns
