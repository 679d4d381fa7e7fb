#include <optional>

#include <boxgram/net/tcp_stream.hpp>

#include "loop_test.hpp"

namespace boxgram::net {
namespace {

using std::chrono::milliseconds;

/// A stream with an owner that collects what comes and writes what it is given.
struct End {
  TcpStreamHandlers handlers() {
    TcpStreamHandlers handlers;
    handlers.on_connected = [this](int error) { connected = error; };
    handlers.room = [this] { return base::MutableBytes(buffer).first(reads ? room : 0); };
    handlers.on_bytes = [this](std::size_t size) {
      text.append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    };
    handlers.on_end = [this](int error) { end = error; };
    handlers.on_writable = [this] { ++writable; };
    handlers.on_drained = [this] {
      ++drained;
      if (on_drained) on_drained();
    };
    return handlers;
  }

  std::optional<TcpStream> stream;
  std::array<std::uint8_t, 65536> buffer{};
  std::size_t room = 65536;
  bool reads = true;
  std::string text;
  std::optional<int> connected;
  std::optional<int> end;
  int writable = 0;
  int drained = 0;
  std::function<void()> on_drained;
};

class TcpStreamTest : public LoopTest {
 protected:
  void SetUp() override {
    auto listener = TcpListener::listen(loop_.io(), loopback(),
                                        [this](TcpStream stream, const base::SocketAddress& from) {
                                          from_ = from;
                                          if (!keep_) return;
                                          server_.stream.emplace(std::move(stream));
                                          server_.stream->start(server_.handlers());
                                        });
    ASSERT_TRUE(listener) << listener.error();
    listener_.emplace(std::move(*listener));
  }

  void connect() {
    auto stream = TcpStream::connect(loop_.io(), listener_->local_address(), client_.handlers());
    ASSERT_TRUE(stream) << stream.error();
    client_.stream.emplace(std::move(*stream));
    ASSERT_TRUE(run_until([&] { return client_.connected && (server_.stream || !keep_); }));
    ASSERT_EQ(*client_.connected, 0);
  }

  std::optional<TcpListener> listener_;
  base::SocketAddress from_;
  bool keep_ = true;
  End server_;
  End client_;
};

TEST_F(TcpStreamTest, CarriesBytesBothWays) {
  connect();
  EXPECT_EQ(server_.stream->peer(), from_);
  EXPECT_EQ(client_.stream->write(base::as_bytes("question")), 8u);
  ASSERT_TRUE(run_until([&] { return server_.text == "question"; }));
  EXPECT_EQ(server_.stream->write(base::as_bytes("answer")), 6u);
  EXPECT_TRUE(run_until([&] { return client_.text == "answer"; }));
}

TEST_F(TcpStreamTest, ReadsNothingWhileItsOwnerHasNoRoom) {
  connect();
  server_.reads = false;
  client_.stream->write(base::as_bytes("question"));
  run_for(milliseconds(30));
  EXPECT_EQ(server_.text, "");
  const int drained = server_.drained;
  run_for(milliseconds(30));
  EXPECT_EQ(server_.drained, drained);  // and does not ask again and again
  server_.reads = true;
  server_.stream->resume();
  EXPECT_TRUE(run_until([&] { return server_.text == "question"; }));
}

TEST_F(TcpStreamTest, ASmallRoomGetsEverythingPieceByPiece) {
  connect();
  server_.room = 3;
  const std::string long_text(1000, 'x');
  client_.stream->write(base::as_bytes(long_text));
  EXPECT_TRUE(run_until([&] { return server_.text == long_text; }));
}

TEST_F(TcpStreamTest, SaysWhenAFullKernelTakesMore) {
  connect();
  server_.reads = false;
  const std::string block(1 << 20, 'b');
  std::size_t written = 0, size = 0;
  do {
    size = client_.stream->write(base::as_bytes(block));
    written += size;
  } while (size == block.size());
  EXPECT_EQ(client_.writable, 0);
  server_.reads = true;
  server_.stream->resume();
  ASSERT_TRUE(run_until([&] { return client_.writable == 1; }));
  EXPECT_TRUE(run_until([&] { return server_.text.size() == written; }));
}

TEST_F(TcpStreamTest, TellsAnOrderlyEndFromABrokenOne) {
  connect();
  std::move(*client_.stream).finish();
  ASSERT_TRUE(run_until([&] { return server_.end.has_value(); }));
  EXPECT_EQ(*server_.end, 0);
}

TEST_F(TcpStreamTest, AResetIsAnError) {
  connect();
  client_.reads = false;
  server_.stream->write(base::as_bytes("never read"));
  run_for(milliseconds(10));
  client_.stream.reset();  // unread bytes make the kernel send a reset
  ASSERT_TRUE(run_until([&] { return server_.end.has_value(); }));
  EXPECT_EQ(*server_.end, ECONNRESET);
}

TEST_F(TcpStreamTest, FinishDeliversTheLastWordsToAPeerThatStillSends) {
  connect();
  client_.stream->write(base::as_bytes(std::string(100'000, 'q')));
  run_for(milliseconds(5));
  server_.reads = false;
  client_.stream->write(base::as_bytes(std::string(100'000, 'q')));
  server_.stream->write(base::as_bytes("no"));
  std::move(*server_.stream).finish();
  ASSERT_TRUE(run_until([&] { return client_.end.has_value(); }));
  EXPECT_EQ(client_.text, "no");
  EXPECT_EQ(*client_.end, 0);
}

TEST_F(TcpStreamTest, AClosedPortIsAnErrorOfConnecting) {
  const auto address = listener_->local_address();
  listener_.reset();
  auto stream = TcpStream::connect(loop_.io(), address, client_.handlers());
  ASSERT_TRUE(stream) << stream.error();
  client_.stream.emplace(std::move(*stream));
  ASSERT_TRUE(run_until([&] { return client_.connected.has_value(); }));
  EXPECT_EQ(*client_.connected, ECONNREFUSED);
}

TEST_F(TcpStreamTest, AnAcceptedStreamThatNobodyKeepsIsClosed) {
  keep_ = false;
  connect();
  EXPECT_TRUE(run_until([&] { return client_.end.has_value(); }));
}

TEST_F(TcpStreamTest, AnOwnerMayDestroyItInsideAHandler) {
  connect();
  server_.on_drained = [this] { server_.stream.reset(); };
  client_.stream->write(base::as_bytes("bye"));
  EXPECT_TRUE(run_until([&] { return !server_.stream.has_value(); }));
  EXPECT_TRUE(run_until([&] { return client_.end.has_value(); }));
}

TEST_F(TcpStreamTest, APeerThatOnlySendsNoMoreStillGetsItsAnswer) {
  PlainSocket peer(SOCK_STREAM, listener_->local_address());
  peer.send("question");
  shutdown(peer.fd(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return server_.end.has_value(); }));
  EXPECT_EQ(server_.text, "question");
  EXPECT_EQ(*server_.end, 0);
  EXPECT_EQ(server_.stream->write(base::as_bytes("answer")), 6u);
  std::move(*server_.stream).finish();
  ASSERT_TRUE(run_until([&] {
    peer.read();
    return peer.ended;
  }));
  EXPECT_EQ(peer.stream, "answer");
}

TEST_F(TcpStreamTest, AnErrorIsToldAfterTheEndAndThenNothingIsWritten) {
  connect();
  client_.stream.reset();
  ASSERT_TRUE(run_until([&] { return server_.end.has_value(); }));
  EXPECT_EQ(*server_.end, 0);
  // The kernel takes what nobody will read, until it hears of that.
  ASSERT_TRUE(run_until([&] {
    server_.stream->write(base::as_bytes("too late"));
    return *server_.end != 0;
  }));
  EXPECT_EQ(server_.stream->write(base::as_bytes("too late")), 0u);
}

}  // namespace
}  // namespace boxgram::net
