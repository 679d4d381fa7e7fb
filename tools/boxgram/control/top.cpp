#include "top.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "control_client.hpp"
#include "render.hpp"
#include "text_table.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using namespace std::chrono_literals;

constexpr base::Duration kEvery = 1s;
/// Lines of the watch between two headers: a screen's worth.
constexpr int kLinesPerHeader = 20;

/// Families that count what got no answer.
constexpr std::string_view kDrops[] = {"packet_dropped", "dns_dropped", "udp_lost",
                                       "gateway_refused", "stream_handshakes_failed"};

Json member(const Json& object, std::string_view name) {
  return object.is_object() && object.contains(name) ? object.at(std::string(name)) : Json();
}

double seconds_between(const Sample& before, const Sample& now) {
  return std::max(std::chrono::duration<double>(now.at - before.at).count(), 1e-3);
}

double total(const Sample& before, const Sample& now, std::string_view family) {
  const Json labels = member(now.stats, family);
  if (!labels.is_object()) return rate(before, now, family);
  double sum = 0;
  for (const auto& [label, value] : labels.items()) sum += rate(before, now, family, label);
  return sum;
}

double drops(const Sample& before, const Sample& now) {
  double sum = 0;
  for (const auto family : kDrops) sum += total(before, now, family);
  return sum;
}

std::string wait_text(const Json& stats, std::string_view quantile) {
  return duration_text(figure(stats, "dns_wait_seconds", quantile) * 1e6);
}

std::string count_text(double number) {
  return with_commas(static_cast<std::uint64_t>(std::clamp(number, 0.0, 1e18) + 0.5));
}

/// "cache 1,200  upstream 30": what grows, the fastest first.
std::string growing(const Sample& before, const Sample& now, std::string_view family) {
  std::vector<std::pair<double, std::string>> rates;
  const Json labels = member(now.stats, family);
  if (labels.is_object())
    for (const auto& [label, value] : labels.items())
      if (const double each = rate(before, now, family, label); each > 0)
        rates.emplace_back(each, printable(label));
  std::sort(rates.rbegin(), rates.rend());
  std::string text;
  for (const auto& [each, label] : rates)
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ", label, count_text(each));
  return text.empty() ? "none" : text;
}

std::string drops_text(const Sample& before, const Sample& now) {
  TextTable table({"dropped", "a second", "in all"});
  const auto add = [&](std::string name, double each, double all) {
    if (all > 0) table.add({{std::move(name)}, {count_text(each), true}, {count_text(all), true}});
  };
  for (const auto family : kDrops) {
    const Json labels = member(now.stats, family);
    if (labels.is_object())
      for (const auto& [label, value] : labels.items())
        add(fmt::format("{} {}", title_of(family), printable(label)),
            rate(before, now, family, label), figure(now.stats, family, label));
    else
      add(title_of(family), rate(before, now, family), figure(now.stats, family));
  }
  return table.empty() ? "" : "\n" + table.text();
}

/// Cuts what a terminal would wrap or scroll.
std::string fitted(const std::string& text, Console::Size size) {
  std::string out;
  std::size_t rows = 0;
  for (std::size_t at = 0; at < text.size() && rows + 1 < size.rows; ++rows) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += text.substr(at, std::min(end - at, size.columns)) + "\n";
    at = end + 1;
  }
  return out;
}

const control::Method& method_of(control::MethodId id) {
  return control::methods()[static_cast<std::size_t>(id)];
}

/// Keys one by one and Ctrl-C as a way to leave, however this ends.
class Watch {
 public:
  explicit Watch(Console& console) : console_(console) { console_.begin_watch(); }
  ~Watch() { console_.end_watch(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Console& console_;
};

}  // namespace

double figure(const Json& stats, std::string_view family, std::string_view label) {
  Json value = member(stats, family);
  if (!label.empty()) value = member(value, label);
  return value.is_number() ? value.get<double>() : 0;
}

double rate(const Sample& before, const Sample& now, std::string_view family,
            std::string_view label) {
  const double old = figure(before.stats, family, label);
  const double current = figure(now.stats, family, label);
  return (current < old ? current : current - old) / seconds_between(before, now);
}

double hit_ratio(const Sample& before, const Sample& now) {
  const double all = total(before, now, "dns_answers");
  const double hits =
      rate(before, now, "dns_answers", "cache") + rate(before, now, "dns_answers", "stale");
  return all == 0 ? 0 : hits / all;
}

std::string watch_header() {
  return fmt::format("{:>10} {:>8} {:>9} {:>9} {:>9} {:>12} {:>9} {:>9}\n", "QUERIES/S", "HITS",
                     "WAIT P50", "P90", "P99", "ASSOCIATIONS", "WAITING", "DROPS/S");
}

std::string watch_line(const Sample& before, const Sample& now) {
  return fmt::format(
      "{:>10} {:>8} {:>9} {:>9} {:>9} {:>12} {:>9} {:>9}\n",
      count_text(rate(before, now, "dns_queries")),
      fmt::format("{:.1f} %", hit_ratio(before, now) * 100), wait_text(now.stats, "0.5"),
      wait_text(now.stats, "0.9"), wait_text(now.stats, "0.99"),
      count_text(figure(now.stats, "packet_associations")),
      count_text(figure(now.stats, "gateway_pending")), count_text(drops(before, now)));
}

std::string screen_text(const Sample& before, const Sample& now, const Json& upstreams,
                        const Json& status, Console::Size size) {
  std::string text = fmt::format("boxgram {} {}   up {}   q leaves\n\n",
                                 with_unit("program", member(status, "program")),
                                 with_unit("listen", member(status, "listen")),
                                 with_unit("uptime_s", member(status, "uptime_s")));
  text += fmt::format("queries/s  {:>12}   hits {:.1f} %   waits p50 {}  p90 {}  p99 {}\n",
                      count_text(rate(before, now, "dns_queries")), hit_ratio(before, now) * 100,
                      wait_text(now.stats, "0.5"), wait_text(now.stats, "0.9"),
                      wait_text(now.stats, "0.99"));
  text += fmt::format("answers/s  {}\n", growing(before, now, "dns_answers"));
  text +=
      fmt::format("cache      {:>12} answers, {}\n", count_text(figure(now.stats, "cache_entries")),
                  bytes_text(figure(now.stats, "cache_bytes")));
  if (member(now.stats, "packet_associations").is_number())
    text += fmt::format("clients    {:>12} associations, {} streams, {} requests waiting\n",
                        count_text(figure(now.stats, "packet_associations")),
                        count_text(figure(now.stats, "stream_connections", "session")),
                        count_text(figure(now.stats, "gateway_pending")));
  text += "\n" + render(method_of(control::MethodId::upstreams), upstreams);
  text += drops_text(before, now);
  return fitted(text, size);
}

Exit watch_lines(ControlClient& client, Console& console, bool json) {
  const Watch watch(console);
  std::optional<Sample> before;
  for (int line = 0;; ++line) {
    auto stats = client.call(method_of(control::MethodId::stats), Json::object());
    if (!stats) return stats.error();
    Sample now{console.now(), std::move(*stats)};
    if (json) {
      console.out(now.stats.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n");
    } else if (before) {
      if ((line - 1) % kLinesPerHeader == 0) console.out(watch_header());
      console.out(watch_line(*before, now));
    }
    before = std::move(now);
    if (!console.wait(kEvery)) return kOk;
  }
}

Exit watch_screen(ControlClient& client, Console& console) {
  const Watch watch(console);
  const Json none = Json::object();
  std::optional<Sample> before;
  for (;;) {
    const auto status = client.call(method_of(control::MethodId::status), none);
    if (!status) return status.error();
    auto stats = client.call(method_of(control::MethodId::stats), none);
    if (!stats) return stats.error();
    const auto upstreams = client.call(method_of(control::MethodId::upstreams), none);
    if (!upstreams) return upstreams.error();
    Sample now{console.now(), std::move(*stats)};
    // To the corner, and what was there goes; the first screen has no rates yet.
    console.out("\x1b[H\x1b[J" +
                screen_text(before ? *before : now, now, *upstreams, *status, console.size()));
    before = std::move(now);
    if (!console.wait(kEvery)) return kOk;
  }
}

}  // namespace boxgram::tools
