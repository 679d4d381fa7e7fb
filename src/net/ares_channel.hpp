// One c-ares channel: a socket pair to one server, driven by the event loop.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/time.hpp>

// 1.34 calls ares_send and others deprecated; their replacements do not exist in 1.18.
#define CARES_NO_DEPRECATED
#include <ares.h>

namespace boxgram::net {

class AresChannel {
 public:
  enum class Transport : std::uint8_t { udp, tcp };

  /// c-ares is at work, and may call back, between the two calls; the second may destroy channels.
  class Host {
   public:
    virtual void begin_processing() = 0;
    virtual void end_processing() = 0;

   protected:
    ~Host() = default;
  };

  /// c-ares' receive buffer and largest value: longer UDP answers come cut to so many bytes. Our
  /// queries ask for less; the rest is for servers that do not care.
  static constexpr std::size_t kCutSize = 4'096;

  /// Null if c-ares has no memory. `server` as c-ares reads it: "192.0.2.1:53", "[2001:db8::1]:53".
  static std::unique_ptr<AresChannel> open(asio::io_context& io, const std::string& server,
                                           Transport transport, base::Instant now, Host& host);
  ~AresChannel();
  AresChannel(const AresChannel&) = delete;
  AresChannel& operator=(const AresChannel&) = delete;

  /// A random ID that no query of this channel has. REQUIRES: in_flight < 65,536.
  std::uint16_t take_id(base::Rng& rng);
  void give_back_id(std::uint16_t id) { ids_.reset(id); }

  /// `callback` is called exactly once, perhaps inside this call.
  void send(base::Bytes query, ares_callback callback, void* argument);

  /// Lets c-ares see the time.
  void tick();

  /// True if a FORMERR without OPT has made c-ares 1.18 give up EDNS on this channel for ever: then
  /// it cuts answers at 512 bytes. Cost: two allocations.
  [[nodiscard]] bool edns_lost() const;

  std::size_t in_flight = 0;  ///< kept by the owner
  std::uint32_t queries = 0;  ///< sent so far
  const base::Instant opened_at;
  base::Instant checked_at;  ///< kept by the owner: last edns_lost()

 private:
  struct Watch;

  AresChannel(asio::io_context& io, Transport transport, base::Instant now, Host& host)
      : opened_at(now), checked_at(now), io_(io), transport_(transport), host_(host) {}

  static void socket_state(void* self, ares_socket_t fd, int readable, int writable);
  void watch(ares_socket_t fd, bool read, bool write);
  void arm(const std::shared_ptr<Watch>& watch);
  void ready(const std::shared_ptr<Watch>& watch, ares_socket_t read, ares_socket_t write);

  asio::io_context& io_;
  Transport transport_;
  Host& host_;
  ares_channel channel_ = nullptr;
  std::vector<std::shared_ptr<Watch>> watches_;
  std::bitset<65'536> ids_;
};

}  // namespace boxgram::net
