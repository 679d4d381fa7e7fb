// Who may open a stream, and for what: a text file with a line for each client key.
// Source: docs/control.md, "The allow-list".
//
//   x25519:KEY services=SERVICE[,SERVICE...] name=NAME      # a comment
//
// KEY is the client's public key, 43 characters of base64url. The two fields stand in any order.
// There is no deny-list: whoever has one secret key can show several public ones that work with it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include <boxgram/base/expected.hpp>
#include <boxgram/crypto/keys.hpp>

namespace boxgram::control {

enum class Service : std::uint8_t {
  control,       ///< every control command
  control_read,  ///< those that change nothing; "control:read"
  dns,           ///< DNS messages in the stream
  dht,           ///< DHT requests in the stream
};

/// A set of services.
class Services {
 public:
  constexpr Services() = default;
  constexpr Services(std::initializer_list<Service> services) {
    for (const Service service : services) add(service);
  }

  constexpr void add(Service service) { bits_ |= bit(service); }
  [[nodiscard]] constexpr bool has(Service service) const { return (bits_ & bit(service)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  /// A control session may be opened.
  [[nodiscard]] constexpr bool controls() const {
    return has(Service::control) || has(Service::control_read);
  }

  friend constexpr bool operator==(Services, Services) = default;

 private:
  static constexpr std::uint8_t bit(Service service) {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(service));
  }
  std::uint8_t bits_ = 0;
};

/// What is wrong with a list, said so that a person can mend it.
struct ListError {
  std::uint32_t line = 0;    ///< from 1; 0 where no line is meant
  std::uint32_t column = 0;  ///< from 1; as `line`
  std::string message;       ///< what was found and what was expected
  std::string hint;          ///< how to mend it; may be empty
};

/// "control,dns". The error has columns within `text`.
std::string services_text(Services services);
base::expected<Services, ListError> parse_services(std::string_view text);

/// "x25519:..." and back. The error says what a key looks like; a key that is nobody's
/// (crypto::fault_of) is one. Cost of parsing: one scalar multiplication, about 40 us.
std::string client_key_text(const crypto::PublicKey& key);
base::expected<crypto::PublicKey, ListError> parse_client_key(std::string_view text);

/// Letters, digits, '.', '-' and '_', 1 to 64 of them.
bool is_client_name(std::string_view text);

struct AllowedClient {
  std::string name;
  Services services;
  std::uint32_t line = 0;  ///< where it stands, from 1; 0 for one that stands nowhere yet

  [[nodiscard]] bool same_rights(const AllowedClient& other) const {
    return name == other.name && services == other.services;
  }
};

/// Immutable once parsed: one object can serve several threads.
class AllowList {
 public:
  /// Written by hand, about 100 bytes a client.
  static constexpr std::size_t kMaxSize = std::size_t{1} << 20;
  /// Checking that many keys takes 0.2 s; an organisation that needs more needs another tool.
  static constexpr std::size_t kMaxClients = 4'096;
  static constexpr std::size_t kMaxName = 64;

  /// Errors: anything that is not a comment, blank or a whole entry; a key or a name twice; more
  /// than the limits. Nothing is skipped: a list that is half understood would lock people out.
  static base::expected<AllowList, ListError> parse(std::string_view text);

  /// Cost: O(log n) comparisons.
  [[nodiscard]] const AllowedClient* find(const crypto::PublicKey& key) const;
  [[nodiscard]] const std::map<crypto::PublicKey, AllowedClient>& clients() const {
    return clients_;
  }
  [[nodiscard]] std::size_t size() const { return clients_.size(); }

 private:
  std::map<crypto::PublicKey, AllowedClient> clients_;
};

/// The text with a line more at its end, or without the line of a client; every other byte stays.
/// Errors: those of the text, which must be a valid list before and after; no client of that name.
base::expected<std::string, ListError> with_client(std::string_view text,
                                                   const crypto::PublicKey& key,
                                                   std::string_view name, Services services);
base::expected<std::string, ListError> without_client(std::string_view text, std::string_view name);

}  // namespace boxgram::control
