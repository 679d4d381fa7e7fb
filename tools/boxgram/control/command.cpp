#include "command.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

namespace boxgram::tools {
namespace {

using base::expected;
using base::unexpected;
using control::Method;
using control::MethodId;
using control::Parameter;
using Kind = Parameter::Kind;
using Place = Parameter::Place;

constexpr const char* kHint = "help shows all commands";

/// What the client does by itself.
struct OwnCommand {
  std::string_view name;
  Command::Kind kind{};
  std::string_view help;
};
constexpr OwnCommand kOwn[] = {
    {"top", Command::Kind::top, "watch it work; q or Ctrl-C leaves"},
    {"help", Command::Kind::help, "this list, or one command"},
    {"quit", Command::Kind::quit, "leave the prompt"},
};

unexpected<UsageError> wrong(std::string message, std::string hint = kHint) {
  return unexpected<UsageError>(UsageError{std::move(message), std::move(hint)});
}

std::string words_of(const Method& method) {
  std::string words(method.name);
  std::replace(words.begin(), words.end(), '.', ' ');
  return words;
}

bool takes_file(const Method& method) {
  return method.id == MethodId::cache_dump || method.id == MethodId::cache_load;
}

std::string in_capitals(std::string_view name) {
  std::string capitals(name);
  for (char& c : capitals)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return capitals;
}

/// "cache" of "cache.show".
std::string_view group_of(const Method& method) {
  const auto dot = method.name.find('.');
  return dot == std::string_view::npos ? std::string_view() : method.name.substr(0, dot);
}

/// "stats, show, flush" of the group "cache"; empty if there is no such group.
std::string members_of(std::string_view group) {
  std::string members;
  for (const Method& method : control::methods())
    if (group_of(method) == group && !group.empty())
      members += (members.empty() ? "" : ", ") + std::string(method.name.substr(group.size() + 1));
  return members;
}

/// The method that the words begin with, which lose it.
expected<const Method*, UsageError> take_method(std::span<const std::string>& words) {
  if (words.size() >= 2) {
    const Method* method = control::find_method(words[0] + "." + words[1]);
    if (method != nullptr) {
      words = words.subspan(2);
      return method;
    }
  }
  const Method* method = control::find_method(words[0]);
  if (method != nullptr && group_of(*method).empty()) {
    words = words.subspan(1);
    return method;
  }
  const auto members = members_of(words[0]);
  if (members.empty()) return wrong(fmt::format("there is no command '{}'", words[0]));
  return wrong(fmt::format("'{}' needs one of: {}", words[0], members));
}

/// Puts a word into its parameter.
expected<void, UsageError> set(const Parameter& parameter, const std::string& text,
                               control::Json& params) {
  const std::string name(parameter.name);
  if (parameter.kind != Kind::number) {
    params[name] = text;
    return {};
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    return wrong(fmt::format("'{}' is not a number", text),
                 fmt::format("{}: {}", in_capitals(name), parameter.help));
  params[name] = number;
  return {};
}

class Reader {
 public:
  Reader(const Method& method, std::span<const std::string> words)
      : method_(method), words_(words) {
    command_.method = &method;
  }

  expected<Command, UsageError> read() {
    while (at_ < words_.size()) {
      const std::string& word = words_[at_++];
      auto done = word.starts_with("--") ? option(word) : positional(word);
      if (!done) return unexpected<UsageError>(std::move(done.error()));
    }
    for (const Parameter& parameter : method_.parameters)
      if (parameter.required && parameter.kind != Kind::lines &&
          !command_.params.contains(parameter.name))
        return wrong(fmt::format("{} is missing: {}", in_capitals(parameter.name), parameter.help),
                     usage());
    return std::move(command_);
  }

 private:
  [[nodiscard]] std::string usage() const { return "usage: " + usage_of(method_); }

  expected<void, UsageError> option(const std::string& word) {
    const auto equals = std::min(word.find('='), word.size());
    const auto name = std::string_view(word).substr(2, equals - 2);
    if (word == "--json") {
      command_.json = true;
      return {};
    }
    if (word == "--watch" && method_.id == MethodId::stats) {
      command_.kind = Command::Kind::watch;
      return {};
    }
    for (const Parameter& parameter : method_.parameters) {
      if (parameter.place != Place::option || parameter.name != name) continue;
      if (parameter.kind == Kind::flag && equals == word.size()) {
        command_.params[std::string(name)] = true;
        return {};
      }
      if (equals < word.size() && parameter.kind != Kind::flag)
        return set(parameter, word.substr(equals + 1), command_.params);
      if (parameter.kind == Kind::flag || at_ == words_.size()) break;
      return set(parameter, words_[at_++], command_.params);
    }
    return wrong(fmt::format("{} does not take '{}' like this", words_of(method_), word), usage());
  }

  expected<void, UsageError> positional(const std::string& word) {
    if (takes_file(method_) && !command_.file) {
      command_.file = word;
      return {};
    }
    for (const Parameter& parameter : method_.parameters)
      if (parameter.place == Place::word && parameter.kind != Kind::lines &&
          !command_.params.contains(parameter.name))
        return set(parameter, word, command_.params);
    return wrong(fmt::format("'{}' is one word too many for {}", word, words_of(method_)), usage());
  }

  const Method& method_;
  std::span<const std::string> words_;
  std::size_t at_ = 0;
  Command command_;
};

expected<Command, UsageError> read_own(const OwnCommand& own, std::span<const std::string> words) {
  Command command;
  command.kind = own.kind;
  if (own.kind == Command::Kind::help && !words.empty()) {
    const auto method = take_method(words);
    if (!method) return unexpected<UsageError>(method.error());
    command.method = *method;
    return command;
  }
  for (const std::string& word : words) {
    if (word != "--json" || own.kind != Command::Kind::top)
      return wrong(fmt::format("'{}' is one word too many for {}", word, own.name));
    command.json = true;
  }
  return command;
}

}  // namespace

expected<Command, UsageError> parse_command(std::span<const std::string> words) {
  // "--json status" is as good as "status --json".
  std::vector<std::string> ordered(words.begin(), words.end());
  std::stable_partition(ordered.begin(), ordered.end(),
                        [](const std::string& word) { return word != "--json"; });
  if (ordered.empty() || ordered.front() == "--json") return wrong("there is no command");
  std::span<const std::string> rest = ordered;
  for (const OwnCommand& own : kOwn)
    if (own.name == rest.front()) return read_own(own, rest.subspan(1));
  const auto method = take_method(rest);
  if (!method) return unexpected<UsageError>(method.error());
  return Reader(**method, rest).read();
}

std::vector<std::string> split_words(std::string_view line) {
  constexpr std::string_view kBlank = " \t";
  std::vector<std::string> words;
  for (std::size_t at = line.find_first_not_of(kBlank); at < line.size();) {
    const std::size_t end = std::min(line.find_first_of(kBlank, at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlank, end);
  }
  return words;
}

std::vector<std::string> completions(std::string_view line) {
  auto words = split_words(line);
  if (line.empty() || line.back() == ' ' || line.back() == '\t') words.emplace_back();
  const std::string last = std::move(words.back());
  words.pop_back();
  if (!words.empty() && words.front() == "help") words.erase(words.begin());
  std::set<std::string> found;
  if (words.empty())
    for (const OwnCommand& own : kOwn) found.emplace(own.name);
  for (const Method& method : control::methods()) {
    const auto parts = split_words(words_of(method));
    if (words.size() < parts.size()) {
      if (std::equal(words.begin(), words.end(), parts.begin())) found.insert(parts[words.size()]);
      continue;
    }
    if (!std::equal(parts.begin(), parts.end(), words.begin())) continue;
    for (const Parameter& parameter : method.parameters)
      if (parameter.place == Place::option) found.insert("--" + std::string(parameter.name));
    if (method.id == MethodId::stats) found.insert("--watch");
    if (method.id == MethodId::log)
      found.insert({"debug", "error", "info", "warning"});
    else
      found.insert("--json");
  }
  std::vector<std::string> fitting;
  for (const auto& word : found)
    if (word.starts_with(last)) fitting.push_back(word);
  return fitting;
}

std::string usage_of(const Method& method) {
  std::string usage = words_of(method);
  if (takes_file(method)) usage += " [FILE]";
  if (method.id == MethodId::stats) usage += " [--watch]";
  for (const Parameter& parameter : method.parameters) {
    if (parameter.place == Place::none || parameter.kind == Kind::lines) continue;
    std::string word = in_capitals(parameter.name);
    if (parameter.place == Place::option)
      word = parameter.kind == Kind::flag ? fmt::format("--{}", parameter.name)
                                          : fmt::format("--{} {}", parameter.name, word);
    usage += parameter.required ? " " + word : " [" + word + "]";
  }
  return usage;
}

std::string help_text(const Method* method) {
  if (method != nullptr) {
    std::string text = fmt::format("{}\n  {}\n", usage_of(*method), method->help);
    for (const Parameter& parameter : method->parameters)
      if (parameter.place != Place::none && parameter.kind != Kind::lines)
        text += fmt::format("  {:<10} {}\n", in_capitals(parameter.name), parameter.help);
    if (takes_file(*method)) text += "  FILE       left out: standard output or input\n";
    return text + fmt::format("  example    {}\n", method->example);
  }
  std::string text;
  for (const Method& each : control::methods())
    text += fmt::format("  {:<44} {}{}\n", usage_of(each), each.help, each.changes ? " *" : "");
  for (const OwnCommand& own : kOwn) text += fmt::format("  {:<44} {}\n", own.name, own.help);
  return text + "* needs a key with the service control. Each takes --json.\n";
}

}  // namespace boxgram::tools
