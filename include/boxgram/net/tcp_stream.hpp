// One TCP connection as bytes, and a listener that accepts such connections. The owner says where
// to read to and is told what came; nothing is copied in between.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

/// All are called on the loop's thread, never inside a call of the stream's own functions. All are
/// required but on_connected, which only connect() calls.
struct TcpStreamHandlers {
  /// 0, or the error that kept the connection from coming about (errno; ETIMEDOUT by the kernel's
  /// patience: an owner with less of it destroys the stream).
  std::function<void(int error)> on_connected;
  /// Where to read to. Empty: nothing is read until resume().
  std::function<base::MutableBytes()> room;
  /// The first `size` bytes of that room were filled.
  std::function<void(std::size_t size)> on_bytes;
  /// No more bytes will come: 0 for the peer's orderly end, else errno. After 0 the peer may still
  /// read what is written; an error follows if it does not.
  std::function<void(int error)> on_end;
  /// write() took less than it was given: now it will take more.
  std::function<void()> on_writable;
  /// After the last on_bytes, on_end or on_writable of a wake-up: the place to act on all of it.
  std::function<void()> on_drained;
};

class TcpStream {
 public:
  /// Begins to connect; on_connected follows. The error (a phrase for people) means that not even
  /// that was possible: no descriptor left, no route.
  static base::expected<TcpStream, std::string> connect(asio::io_context& io,
                                                        const base::SocketAddress& peer,
                                                        TcpStreamHandlers handlers);

  /// Closes at once; no call of a handler after this. May be called inside a handler.
  ~TcpStream();
  TcpStream(TcpStream&&) noexcept;
  TcpStream& operator=(TcpStream&&) noexcept;

  /// Begins to read an accepted connection. Call once.
  void start(TcpStreamHandlers handlers);

  /// Writes what the kernel takes now and returns how much that was. After less than all,
  /// on_writable follows. An error shows as on_end.
  std::size_t write(base::Bytes bytes);

  /// Reads again after room() was empty. Cheap when it was not.
  void resume();

  /// Sends the end after what was written, and closes when the peer has ended too, or after a
  /// second: an early close could destroy what was written last. No handler is called any more.
  void finish() &&;

  [[nodiscard]] const base::SocketAddress& peer() const;

 private:
  friend class TcpListener;
  class Impl;
  explicit TcpStream(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

class TcpListener {
 public:
  /// Listens at once. Port 0: the kernel chooses. The error is a phrase for people. The stream that
  /// is handed over closes by itself unless it is kept and started.
  static base::expected<TcpListener, std::string> listen(
      asio::io_context& io, const base::SocketAddress& local,
      std::function<void(TcpStream, const base::SocketAddress& from)> on_accept);

  /// Stops listening; no call of the handler after this.
  ~TcpListener();
  TcpListener(TcpListener&&) noexcept;
  TcpListener& operator=(TcpListener&&) noexcept;

  [[nodiscard]] const base::SocketAddress& local_address() const;
  /// No descriptor left and the like; tried again after 100 ms.
  [[nodiscard]] std::uint64_t accept_errors() const;

 private:
  class Impl;
  explicit TcpListener(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace boxgram::net
