#include "load.hpp"

#include <filesystem>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include <boxgram/net/clock.hpp>
#include <boxgram/net/udp_socket.hpp>
#include <boxgram/packet/stamp.hpp>

#include "load_clients.hpp"
#include "messages.hpp"
#include "process.hpp"

namespace boxgram::tools::bench {
namespace {

using base::expected;
using base::unexpected;
using Done = expected<void, std::string>;

const auto kLoopback = base::SocketAddress::v4(127, 0, 0, 1, 0);

/// A folder that goes when this does.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "boxgram-bench-XXXXXX").string();
    if (mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// The authoritative server of bench.test, on a thread of this process.
class Authority {
 public:
  expected<base::SocketAddress, std::string> start() {
    net::UdpHandlers handlers;
    handlers.on_batch = [this](std::span<const net::Datagram> batch) {
      for (const net::Datagram& d : batch) {
        if (d.data.size() < 12 + 11) continue;
        const auto answer = answer_to(d.data);
        std::copy(answer.begin(), answer.end(), socket_->next().begin());
        socket_->commit(d.from, answer.size());
      }
    };
    auto socket = net::UdpSocket::bind(loop_.io(), kLoopback, {}, std::move(handlers));
    if (!socket) return unexpected<std::string>(socket.error());
    socket_.emplace(std::move(*socket));
    thread_ = std::thread([this] { loop_.run(); });
    return socket_->local_address();
  }
  ~Authority() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  net::EventLoop loop_;
  std::optional<net::UdpSocket> socket_;
  std::thread thread_;
};

/// The line after `prefix` up to the next blank.
std::string word_after(const std::string& text, const std::string& prefix) {
  const auto start = text.find(prefix);
  if (start == std::string::npos) return {};
  const auto from = start + prefix.size();
  return text.substr(from, text.find_first_of(" \n,", from) - from);
}

expected<Process, std::string> start_gateway(const TemporaryFolder& folder,
                                             const base::SocketAddress& authority, bool cache) {
  return Process::start({"gateway", "--listen", "127.0.0.1:0", "--state-dir",
                         folder.file(cache ? "cached" : "uncached"), "--forward",
                         "bench.test=" + base::to_string(authority), "--workers", "1", "--cache",
                         cache ? "on" : "off"},
                        "serving");
}

expected<Process, std::string> start_stub(const std::string& stamp, bool cache) {
  return Process::start(
      {"stub", "--listen", "127.0.0.1:0", "--gateway", stamp, "--cache", cache ? "on" : "off"},
      "serving");
}

expected<base::SocketAddress, std::string> address_of(const Process& stub) {
  return base::parse_socket_address(word_after(stub.output(), "serving on "), 0);
}

using Run = std::function<expected<LoadResult, std::string>(const LoadOptions&)>;

/// Runs a load and reports it with what the processes spent on it.
Done measure(Report& report, const char* title, const LoadOptions& options,
             std::initializer_list<std::pair<const char*, const Process*>> processes,
             const Run& run) {
  report.progress(title);
  std::vector<double> before;
  for (const auto& [name, process] : processes) before.push_back(process->cpu_us());
  const auto result = run(options);
  if (!result) return unexpected<std::string>(result.error());
  if (result->answered == 0) return unexpected<std::string>(fmt::format("{}: no answer", title));
  const auto answered = static_cast<double>(result->answered);
  report.part(title);
  report.row("answered", answered / std::chrono::duration<double>(result->elapsed).count(),
             "queries/s");
  report.row("without an answer or with a wrong one",
             100.0 * static_cast<double>(result->sent - result->answered) /
                 static_cast<double>(result->sent),
             "%");
  std::size_t i = 0;
  for (const auto& [name, process] : processes)
    report.row(fmt::format("CPU of the {}", name), (process->cpu_us() - before[i++]) / answered,
               "us/query");
  for (const double p : {0.5, 0.9, 0.99})
    report.row(fmt::format("latency p{:.0f}", 100 * p), result->latency.percentile(p), "us");
  for (const auto& [name, process] : processes)
    report.row(fmt::format("memory of the {}", name), process->memory_mb(), "MB");
  return {};
}

LoadOptions load_options(const BenchOptions& options) {
  LoadOptions load;
  load.duration = options.duration;
  load.in_flight = options.in_flight;
  load.rate = options.rate;
  return load;
}

/// Every name once, so that caches are full. A rate would only make it slow.
Done warm_up(Report& report, LoadOptions options, const Run& run) {
  report.progress("filling the caches");
  options.rate = 0;
  options.in_flight = 64;
  options.duration = std::chrono::milliseconds(800);
  const auto result = run(options);
  if (!result) return unexpected<std::string>(result.error());
  return {};
}

Done measure_gateway(Report& report, const BenchOptions& options, const Process& gateway,
                     const packet::Stamp& stamp) {
  const Run sealed = [&](const LoadOptions& o) { return sealed_load(stamp, o); };
  const Run streams = [&](const LoadOptions& o) { return stream_load(stamp, o); };
  auto one = load_options(options);
  one.sockets = 1;
  auto many = load_options(options);
  many.sockets = 64;
  many.in_flight = 64;
  auto few = load_options(options);  // as many as one network may open at once
  few.sockets = few.in_flight = 16;
  return warm_up(report, one, sealed)
      .and_then([&] {
        return measure(report, "gateway, sealed cache hit, one busy client", one,
                       {{"gateway", &gateway}}, sealed);
      })
      .and_then([&] {
        return measure(report, "gateway, cache hit over a stream, one busy client", one,
                       {{"gateway", &gateway}}, streams);
      })
      .and_then([&] {
        return measure(report, "gateway, sealed cache hit, 64 clients with one query each", many,
                       {{"gateway", &gateway}}, sealed);
      })
      .and_then([&] {
        return measure(report, "gateway, cache hit over 16 streams with one query each", few,
                       {{"gateway", &gateway}}, streams);
      });
}

Done measure_pair(Report& report, const BenchOptions& options, const Process& gateway,
                  const std::string& stamp) {
  auto stub = start_stub(stamp, options.stub_cache);
  if (!stub) return unexpected<std::string>(stub.error());
  const auto address = address_of(*stub);
  if (!address) return unexpected<std::string>(address.error());
  const Run plain = [&](const LoadOptions& o) { return plain_load(*address, o); };
  const auto load = load_options(options);
  return warm_up(report, load, plain).and_then([&] {
    return measure(report,
                   options.stub_cache ? "stub cache hit" : "stub and gateway, stub cache off", load,
                   {{"stub", &*stub}, {"gateway", &gateway}}, plain);
  });
}

Done measure_own(Report& report, const BenchOptions& options) {
  const TemporaryFolder folder;
  Authority authority;
  const auto upstream = authority.start();
  if (!upstream) return unexpected<std::string>(upstream.error());
  auto gateway = start_gateway(folder, *upstream, true);
  if (!gateway) return unexpected<std::string>(gateway.error());
  const auto text = "boxgram://" + word_after(gateway->output(), "boxgram://");
  const auto stamp = packet::decode_stamp(text);
  if (!stamp) return unexpected<std::string>("the gateway printed no stamp");
  auto done = measure_gateway(report, options, *gateway, *stamp).and_then([&] {
    return measure_pair(report, options, *gateway, text);
  });
  if (!done) return done;
  auto uncached = start_gateway(folder, *upstream, false);
  if (!uncached) return unexpected<std::string>(uncached.error());
  const auto other =
      packet::decode_stamp("boxgram://" + word_after(uncached->output(), "boxgram://"));
  auto miss = load_options(options);
  miss.sockets = 1;
  return measure(report, "gateway, every query asked upstream, one busy client", miss,
                 {{"gateway", &*uncached}},
                 [&](const LoadOptions& o) { return sealed_load(*other, o); });
}

}  // namespace

Done measure_load(Report& report, const BenchOptions& options) {
  if (options.server.empty()) return measure_own(report, options);
  const auto server = base::parse_socket_address(options.server, 53);
  if (!server) return unexpected<std::string>(server.error());
  return measure(report, "the given server", load_options(options), {},
                 [&](const LoadOptions& o) { return plain_load(*server, o); });
}

}  // namespace boxgram::tools::bench
