#include "control_client.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "render.hpp"
#include "text_table.hpp"
#include "top.hpp"

namespace boxgram::tools {
namespace {

using base::unexpected;
using control::Json;
using control::MethodId;
namespace code = control::code;

/// Lines of one cache.load: the frame around them and the escapes of JSON need the rest.
constexpr std::size_t kLoadSize = 40 * 1024;
/// What one page after the other may become; a server that never ends is cut.
constexpr std::size_t kMaxPages = 100'000;

/// In ASCII: what a server puts into its strings commands no terminal.
std::string one_line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

/// Appends the lists of a further page.
void append(Json& whole, const Json& page) {
  for (const auto& [key, value] : page.items()) {
    if (!value.is_array() || !whole.contains(key) || !whole[key].is_array()) continue;
    for (const Json& row : value) whole[key].push_back(row);
  }
}

std::string cursor_of(const Json& page) {
  const bool has = page.is_object() && page.contains("cursor") && page["cursor"].is_string();
  return has ? page["cursor"].get<std::string>() : std::string();
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// A dump tells which names were asked: it is for its owner only, and so is a file that was there
/// already. Pipes and devices stay as they are.
File open_private(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return {nullptr, &std::fclose};
  struct stat info {};
  const bool is_private =
      fstat(fd, &info) == 0 &&
      (!S_ISREG(info.st_mode) || (fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0));
  if (is_private) return {fdopen(fd, "w"), &std::fclose};
  const int error = errno;
  close(fd);
  errno = error;
  return {nullptr, &std::fclose};
}

}  // namespace

Exit ControlClient::fail(Exit exit, const std::string& message, const std::string& hint) {
  console_.err(fmt::format("boxgram: {}\n", printable(message)));
  if (!hint.empty()) console_.err(fmt::format("  hint: {}\n", hint));
  return exit;
}

Exit ControlClient::link_failed(const control::LinkError& error) {
  using Kind = control::LinkError::Kind;
  link_.reset();
  switch (error.kind) {
    case Kind::unreachable:
      return fail(kUnreachable, error.message, "does it run, and take TCP connections there?");
    case Kind::wrong_server_key:
      return fail(kUnreachable, error.message,
                  "the stamp is of another gateway or another state directory; `boxgram stamp` "
                  "prints the right one");
    case Kind::not_authorised:
      return fail(
          kNotAuthorised, error.message,
          fmt::format("on the gateway: boxgram client add NAME {}, then a reload", own_key_));
    case Kind::truncated:
    case Kind::timed_out:
      break;
  }
  return fail(kUnreachable, error.message,
              "whether the command was carried out is not known: look before you repeat it");
}

Exit ControlClient::call_failed(const control::RpcError& error) {
  switch (error.code) {
    case code::not_authorised:
      return fail(kNotAuthorised, error.message, "it needs the service control in the allow-list");
    case code::invalid_params:
    case code::method_not_found:
      return fail(kUsage, error.message, "help shows all commands");
    default:
      return fail(kFailed, error.message);
  }
}

base::expected<Json, Exit> ControlClient::call(const control::Method& method, const Json& params) {
  if (link_ == nullptr) {
    auto link = connect_();
    if (!link) return unexpected<Exit>(link_failed(link.error()));
    link_ = std::move(*link);
  }
  const std::uint64_t id = ++last_id_;
  const auto response = link_->exchange(control::request_text(id, method.name, params));
  if (!response) return unexpected<Exit>(link_failed(response.error()));
  auto result = control::parse_response(*response, id);
  if (!result) return unexpected<Exit>(call_failed(result.error()));
  return std::move(*result);
}

Exit ControlClient::run_words(std::span<const std::string> words) {
  const auto command = parse_command(words);
  if (!command) return fail(kUsage, command.error().message, command.error().hint);
  return run(*command);
}

Exit ControlClient::run(const Command& command) {
  switch (command.kind) {
    case Command::Kind::help:
      console_.out(help_text(command.method));
      return kOk;
    case Command::Kind::quit:
      return kOk;
    case Command::Kind::watch:
      return watch_lines(*this, console_, command.json);
    case Command::Kind::top:
      return console_.is_terminal() && !command.json ? watch_screen(*this, console_)
                                                     : watch_lines(*this, console_, command.json);
    case Command::Kind::call:
      break;
  }
  if (command.method->id == MethodId::cache_dump) return dump(command);
  if (command.method->id == MethodId::cache_load) return load(command);
  return print_result(command);
}

Exit ControlClient::print_result(const Command& command) {
  auto whole = call(*command.method, command.params);
  if (!whole) return whole.error();
  Json params = command.params;
  std::string cursor = cursor_of(*whole);
  for (std::size_t pages = 1; !cursor.empty() && pages < kMaxPages; ++pages) {
    params["cursor"] = cursor;
    const auto page = call(*command.method, params);
    if (!page) return page.error();
    append(*whole, *page);
    cursor = cursor_of(*page);
  }
  if (whole->is_object()) whole->erase("cursor");
  console_.out(command.json ? one_line(*whole) : render(*command.method, *whole));
  return kOk;
}

Exit ControlClient::dump(const Command& command) {
  File file(nullptr, &std::fclose);
  if (command.file) {
    file = open_private(*command.file);
    if (file == nullptr)
      return fail(kFailed, fmt::format("cannot write {}: {}", *command.file, std::strerror(errno)));
  }
  const auto put = [&](const std::string& text) {
    if (file == nullptr)
      console_.out(text);
    else
      std::fwrite(text.data(), 1, text.size(), file.get());
  };
  Json params = Json::object();
  std::uint64_t count = 0;
  std::uint64_t left_out = 0;
  for (std::size_t pages = 0; pages < kMaxPages; ++pages) {
    const auto page = call(*command.method, params);
    if (!page) return page.error();
    if (command.json) {
      put(one_line(*page));
    } else if (page->is_object() && page->contains("lines") && page->at("lines").is_array()) {
      for (const Json& line : page->at("lines")) {
        put(with_unit("line", line) + "\n");
        ++count;
      }
      if (page->contains("left_out") && page->at("left_out").is_number_unsigned())
        left_out += page->at("left_out").get<std::uint64_t>();
    }
    const auto cursor = cursor_of(*page);
    if (cursor.empty()) break;
    params["cursor"] = cursor;
  }
  if (file != nullptr && (std::ferror(file.get()) != 0 || std::fclose(file.release()) != 0))
    return fail(kFailed, fmt::format("cannot write {}: {}", *command.file, std::strerror(errno)));
  if (left_out > 0)
    console_.err(fmt::format("{} answers are too large for a dump\n", with_commas(left_out)));
  if (command.file) console_.out(fmt::format("answers written: {}\n", with_commas(count)));
  return kOk;
}

/// Sums of the responses to several cache.load.
struct LoadTotals {
  std::uint64_t taken = 0;
  std::uint64_t passed_over = 0;
  std::uint64_t refused = 0;
  Json mistakes = Json::array();

  void add(const Json& result, std::uint64_t lines_before) {
    const auto number = [&](const char* key) {
      const bool has =
          result.is_object() && result.contains(key) && result.at(key).is_number_unsigned();
      return has ? result.at(key).get<std::uint64_t>() : 0;
    };
    taken += number("taken");
    passed_over += number("passed_over");
    refused += number("refused");
    constexpr std::size_t kKept = 10;
    if (!result.is_object() || !result.contains("mistakes") || !result.at("mistakes").is_array())
      return;
    for (Json mistake : result.at("mistakes")) {
      if (mistakes.size() == kKept || !mistake.is_object()) continue;
      if (mistake.contains("line") && mistake["line"].is_number_unsigned())
        mistake["line"] = mistake["line"].get<std::uint64_t>() + lines_before;
      mistakes.push_back(std::move(mistake));
    }
  }
  [[nodiscard]] Json json() const {
    return {{"taken", taken},
            {"passed_over", passed_over},
            {"refused", refused},
            {"mistakes", mistakes}};
  }
};

Exit ControlClient::load(const Command& command) {
  std::ifstream file;
  if (command.file) {
    file.open(*command.file);
    if (!file)
      return fail(kFailed, fmt::format("cannot read {}: {}", *command.file, std::strerror(errno)));
  }
  std::istream& in = command.file ? file : std::cin;
  LoadTotals totals;
  Json lines = Json::array();
  std::size_t size = 0;
  std::uint64_t sent = 0;
  const auto flush = [&]() -> base::expected<void, Exit> {
    const auto result = call(*command.method, {{"lines", lines}});
    if (!result) return unexpected<Exit>(result.error());
    totals.add(*result, sent);
    sent += lines.size();
    lines = Json::array();
    size = 0;
    return {};
  };
  std::string line;
  while (std::getline(in, line)) {
    // A line that is too long is sent cut short: the server says what is wrong with it.
    if (line.size() > kLoadSize / 2) line.resize(kLoadSize / 2);
    const std::size_t as_json = one_line(line).size();
    if (size + as_json > kLoadSize)
      if (const auto done = flush(); !done) return done.error();
    size += as_json;
    lines.push_back(line);
  }
  if (const auto done = flush(); !done) return done.error();
  console_.out(command.json ? one_line(totals.json()) : render(*command.method, totals.json()));
  return totals.refused == 0 ? kOk : kFailed;
}

}  // namespace boxgram::tools
