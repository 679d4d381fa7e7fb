// What the control methods need of the program around them: the gateway and the stub each have one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/control/json_rpc.hpp>
#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/shared_cache.hpp>

#include "boxgram/metrics.hpp"

namespace boxgram::tools {

class ClientFile;

struct UpstreamRow {
  std::string name;
  dns::UpstreamState state;  ///< its own name is not used: it may be gone
};

/// What is counted and measured, copied at one moment.
struct Numbers {
  MetricFamilies metrics;  ///< as for Prometheus
  std::vector<UpstreamRow> upstreams;
};

struct Explained {
  dns::Explanation way;
  std::shared_ptr<const dns::ForwarderConfig> rules;  ///< that `way` points into
  std::vector<UpstreamRow> upstreams;                 ///< in the order of way.upstreams
};

/// A stream that is open.
struct SessionRow {
  std::uint64_t id = 0;
  std::string client;  ///< its name in the allow-list; empty for a throw-away key
  base::SocketAddress from;
  base::Instant began{};
  std::uint64_t requests = 0;
  std::uint64_t outstanding = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

struct KeyRow {
  std::string id;                ///< in hexadecimal, as it stands in datagrams
  std::uint32_t serial = 0;      ///< 0 for a pinned key
  std::uint64_t not_before = 0;  ///< seconds since 1970; 0 for a pinned key
  std::uint64_t not_after = 0;
  bool is_newest = false;
};

/// Every member is called on the thread of the program's main loop, and `done` on the same, now or
/// later, exactly once unless the program ends before.
class Host {
 public:
  virtual ~Host() = default;

  /// An object; the methods add what is not the program's own to tell.
  [[nodiscard]] virtual control::Json status() const = 0;
  virtual void numbers(std::function<void(Numbers)> done) = 0;
  /// `query`: a DNS message.
  virtual void explain(std::vector<std::uint8_t> query, std::function<void(Explained)> done) = 0;
  /// nullptr: there is none.
  [[nodiscard]] virtual dns::SharedCache* cache() = 0;

  [[nodiscard]] virtual ClientFile& clients() = 0;
  /// The list is another one: ends the sessions of keys that have lost or changed their rights.
  virtual void clients_changed() = 0;
  [[nodiscard]] virtual std::vector<SessionRow> sessions() const = 0;
  /// Of one of sessions(); a response that was handed over to it before must still leave.
  virtual void kill_session(std::uint64_t id) = 0;

  /// The error is a line for people; nothing has changed then.
  virtual base::expected<void, std::string> reload() = 0;
  /// Both return at once; a response that was handed over before must still leave.
  virtual void drain() = 0;
  virtual void shut_down() = 0;
};

class GatewayHost : public Host {
 public:
  [[nodiscard]] virtual std::vector<KeyRow> keys() const = 0;
  /// The error is a line for people.
  virtual base::expected<void, std::string> rotate_keys() = 0;
};

}  // namespace boxgram::tools
