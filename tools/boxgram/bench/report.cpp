#include "report.hpp"

#include <cstdio>

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <boxgram/net/clock.hpp>

namespace boxgram::tools::bench {
namespace {

double thread_cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

bool on_terminal() {
  return isatty(STDERR_FILENO) == 1;
}

void clear_line() {
  if (on_terminal()) fmt::print(stderr, "\r\033[K");
}

}  // namespace

void Report::part(std::string_view name) {
  part_ = name;
  if (json_) return;
  clear_line();
  fmt::print("\n{}\n", name);
}

void Report::row(std::string_view name, double value, std::string_view unit, std::string_view base,
                 double ratio) {
  nlohmann::ordered_json figure = {
      {"part", part_}, {"name", name}, {"value", value}, {"unit", unit}};
  if (!base.empty()) {
    figure["base"] = base;
    figure["ratio"] = ratio;
  }
  figures_.push_back(std::move(figure));
  if (json_) return;
  clear_line();
  const auto against = base.empty() ? std::string() : fmt::format("  {:5.2f} x {}", ratio, base);
  fmt::print("  {:46} {:12.3f} {:12}{}\n", name, value, unit, against);
  std::fflush(stdout);
}

void Report::progress(std::string_view what) const {
  if (!on_terminal()) return;
  clear_line();
  fmt::print(stderr, "  {} ...", what);
  std::fflush(stderr);
}

void Report::finish() const {
  clear_line();
  if (json_) fmt::print("{}\n", nlohmann::ordered_json{{"figures", figures_}}.dump(2));
}

double cpu_us(base::Duration duration, const std::function<void()>& op) {
  constexpr int kBlock = 64;  // the clock is read once a block: 64 calls hide its cost
  for (int i = 0; i < kBlock; ++i) op();
  const auto end = net::now() + duration;
  const double before = thread_cpu_us();
  double calls = 0;
  do {
    for (int i = 0; i < kBlock; ++i) op();
    calls += kBlock;
  } while (net::now() < end);
  return (thread_cpu_us() - before) / calls;
}

}  // namespace boxgram::tools::bench
