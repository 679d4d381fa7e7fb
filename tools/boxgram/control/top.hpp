// Watching a server: a line or a screen each second, made of two copies of its counters.
#pragma once

#include <string>

#include <boxgram/base/time.hpp>
#include <boxgram/control/json_rpc.hpp>

#include "boxgram/commands.hpp"
#include "console.hpp"

namespace boxgram::tools {

class ControlClient;

/// What `stats` said, and when.
struct Sample {
  base::Instant at{};
  control::Json stats;
};

/// A figure of `stats`; 0 if it is not there. "dns_answers", "cache".
double figure(const control::Json& stats, std::string_view family, std::string_view label = {});
/// How much it grows in a second. A counter that has fallen began anew (a reload): it counts from
/// 0.
double rate(const Sample& before, const Sample& now, std::string_view family,
            std::string_view label = {});
/// The part of answers that came from the cache between the two, 0 to 1.
double hit_ratio(const Sample& before, const Sample& now);

/// The line of `stats --watch`, and the one above the first of them.
std::string watch_header();
std::string watch_line(const Sample& before, const Sample& now);
/// The screen of `top`, at most as large as `size`.
std::string screen_text(const Sample& before, const Sample& now, const control::Json& upstreams,
                        const control::Json& status, Console::Size size);

/// Both run until the user leaves or the server does.
Exit watch_lines(ControlClient& client, Console& console, bool json);
Exit watch_screen(ControlClient& client, Console& console);

}  // namespace boxgram::tools
