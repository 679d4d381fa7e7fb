#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <boxgram/control/allow_list.hpp>
#include <boxgram/crypto/base64url.hpp>

#include "in_quotes.hpp"

namespace boxgram::control {
namespace {

using base::expected;
using base::unexpected;

constexpr std::string_view kKeyPrefix = "x25519:";
constexpr std::size_t kKeyText = 43;  // 32 bytes in base64url
constexpr std::string_view kBlank = " \t\r";

constexpr std::pair<Service, std::string_view> kServices[] = {
    {Service::control, "control"},
    {Service::control_read, "control:read"},
    {Service::dns, "dns"},
    {Service::dht, "dht"},
};
constexpr const char* kServicesHint =
    "services are control (every command), control:read (those that change nothing), dns and dht, "
    "joined by commas";
constexpr const char* kLineHint =
    "a line is: x25519:KEY services=control,dns name=NAME; `boxgram keygen --client` prints one";
constexpr const char* kKeyHint = "`boxgram keygen --client` makes a key and prints it";

unexpected<ListError> problem(std::size_t column, std::string message, std::string hint = {}) {
  return unexpected<ListError>(
      ListError{0, static_cast<std::uint32_t>(column), std::move(message), std::move(hint)});
}

/// A word of a line, with the column of its first character.
struct Word {
  std::string_view text;
  std::size_t column = 0;
};

/// The words before a comment.
class Words {
 public:
  explicit Words(std::string_view line) : line_(line) {}

  /// An empty word at the end.
  Word next() {
    at_ = std::min(line_.find_first_not_of(kBlank, at_), line_.size());
    if (at_ < line_.size() && line_[at_] == '#') at_ = line_.size();
    const std::size_t begin = at_;
    at_ = std::min(line_.find_first_of(kBlank, at_), line_.size());
    return {line_.substr(begin, at_ - begin), begin + 1};
  }

 private:
  std::string_view line_;
  std::size_t at_ = 0;
};

struct Entry {
  crypto::PublicKey key{};
  AllowedClient client;
};

/// Moves the error of a part to its place in the line.
unexpected<ListError> at_column(ListError error, std::size_t column) {
  error.column = static_cast<std::uint32_t>(column + (error.column == 0 ? 0 : error.column - 1));
  return unexpected<ListError>(std::move(error));
}

expected<void, ListError> read_field(const Word& word, AllowedClient& client) {
  constexpr std::string_view kServicesField = "services=";
  constexpr std::string_view kNameField = "name=";
  if (word.text.starts_with(kServicesField)) {
    if (!client.services.empty()) return problem(word.column, "services= stands there twice");
    const auto services = parse_services(word.text.substr(kServicesField.size()));
    if (!services) return at_column(services.error(), word.column + kServicesField.size());
    client.services = *services;
    return {};
  }
  if (word.text.starts_with(kNameField)) {
    if (!client.name.empty()) return problem(word.column, "name= stands there twice");
    const auto name = word.text.substr(kNameField.size());
    if (!is_client_name(name))
      return problem(word.column + kNameField.size(),
                     fmt::format("{} is not a client's name", in_quotes(name)),
                     "a name has 1 to 64 letters, digits, '.', '-' or '_'");
    client.name = name;
    return {};
  }
  return problem(word.column,
                 fmt::format("expected services=... or name=..., found {}", in_quotes(word.text)),
                 kLineHint);
}

/// REQUIRES: the line has a word.
expected<Entry, ListError> read_entry(std::string_view line) {
  Words words(line);
  const Word first = words.next();
  const auto key = parse_client_key(first.text);
  if (!key) return at_column(key.error(), first.column);
  Entry entry{*key, {}};
  for (Word word = words.next(); !word.text.empty(); word = words.next()) {
    auto read = read_field(word, entry.client);
    if (!read) return unexpected<ListError>(std::move(read.error()));
  }
  if (entry.client.services.empty())
    return problem(line.size() + 1, "services=... is missing", kServicesHint);
  if (entry.client.name.empty())
    return problem(line.size() + 1, "name=... is missing", "give the client a name for people");
  return entry;
}

/// Calls `take(number, line)` for each line, without its end, until one is wrong.
template <class Take>
expected<void, ListError> each_line(std::string_view text, Take take) {
  std::uint32_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = text.find('\n', begin);
    const std::size_t stop = std::min(newline, text.size());
    expected<void, ListError> taken = take(++number, text.substr(begin, stop - begin));
    if (!taken) {
      taken.error().line = number;
      return taken;
    }
    begin = stop + 1;
  }
  return {};
}

}  // namespace

std::string services_text(Services services) {
  std::string text;
  for (const auto& [service, name] : kServices)
    if (services.has(service)) text += (text.empty() ? "" : ",") + std::string(name);
  return text;
}

expected<Services, ListError> parse_services(std::string_view text) {
  Services services;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto word = text.substr(begin, end - begin);
    const auto* found = std::find_if(std::begin(kServices), std::end(kServices),
                                     [&](const auto& known) { return known.second == word; });
    if (found == std::end(kServices))
      return problem(begin + 1, fmt::format("expected a service, found {}", in_quotes(word)),
                     kServicesHint);
    services.add(found->first);
    begin = end + 1;
  }
  return services;
}

std::string client_key_text(const crypto::PublicKey& key) {
  return std::string(kKeyPrefix) + crypto::to_base64url(key);
}

expected<crypto::PublicKey, ListError> parse_client_key(std::string_view text) {
  if (!text.starts_with(kKeyPrefix))
    return problem(1, fmt::format("expected a key, x25519:..., found {}", in_quotes(text)),
                   kLineHint);
  const auto encoded = text.substr(kKeyPrefix.size());
  const auto bytes = crypto::from_base64url(encoded);
  if (encoded.size() != kKeyText || !bytes || bytes->size() != 32)
    return problem(kKeyPrefix.size() + 1,
                   fmt::format("expected the {} base64url characters of a key, found {}", kKeyText,
                               in_quotes(encoded)),
                   kKeyHint);
  crypto::PublicKey key{};
  std::copy(bytes->begin(), bytes->end(), key.begin());
  const auto fault = crypto::fault_of(key);
  if (!fault) return key;
  return problem(kKeyPrefix.size() + 1,
                 *fault == crypto::PublicKeyFault::low_order
                     ? "the key is a point of low order: anybody could pose as its owner"
                     : "the key is no number below 2^255 - 19, so no client has it",
                 kKeyHint);
}

bool is_client_name(std::string_view text) {
  return !text.empty() && text.size() <= AllowList::kMaxName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

expected<AllowList, ListError> AllowList::parse(std::string_view text) {
  if (text.size() > kMaxSize)
    return problem(0, fmt::format("the list is larger than {} MiB", kMaxSize >> 20),
                   "it has a line of about 100 bytes for each client");
  AllowList list;
  std::set<std::string_view> names;
  auto read = each_line(
      text, [&](std::uint32_t number, std::string_view line) -> expected<void, ListError> {
        if (Words(line).next().text.empty()) return {};
        auto entry = read_entry(line);
        if (!entry) return unexpected<ListError>(std::move(entry.error()));
        if (list.size() == kMaxClients)
          return problem(1, fmt::format("more than {} clients", kMaxClients));
        entry->client.line = number;
        const auto [place, is_new] = list.clients_.emplace(entry->key, std::move(entry->client));
        if (!is_new)
          return problem(1,
                         fmt::format("the key stands in line {} already, as {}", place->second.line,
                                     place->second.name),
                         "write all services of a key in one line");
        if (!names.insert(place->second.name).second)
          return problem(1, fmt::format("the name {} stands there twice", place->second.name),
                         "give every key a name of its own");
        return {};
      });
  if (!read) return unexpected<ListError>(std::move(read.error()));
  return list;
}

const AllowedClient* AllowList::find(const crypto::PublicKey& key) const {
  const auto found = clients_.find(key);
  return found == clients_.end() ? nullptr : &found->second;
}

expected<std::string, ListError> with_client(std::string_view text, const crypto::PublicKey& key,
                                             std::string_view name, Services services) {
  const auto before = AllowList::parse(text);
  if (!before) return unexpected<ListError>(before.error());
  std::string made(text);
  if (!made.empty() && made.back() != '\n') made += '\n';
  made +=
      fmt::format("{} services={} name={}\n", client_key_text(key), services_text(services), name);
  const auto after = AllowList::parse(made);
  if (!after) return unexpected<ListError>(after.error());
  return made;
}

expected<std::string, ListError> without_client(std::string_view text, std::string_view name) {
  const auto list = AllowList::parse(text);
  if (!list) return unexpected<ListError>(list.error());
  const auto found = std::find_if(list->clients().begin(), list->clients().end(),
                                  [&](const auto& c) { return c.second.name == name; });
  if (found == list->clients().end())
    return problem(0, fmt::format("no client has the name {}", in_quotes(name)));
  std::size_t begin = 0;
  for (std::uint32_t line = 1; line < found->second.line; ++line)
    begin = text.find('\n', begin) + 1;
  const std::size_t newline = text.find('\n', begin);
  std::string made(text.substr(0, begin));
  if (newline != std::string_view::npos) made += text.substr(newline + 1);
  return made;
}

}  // namespace boxgram::control
