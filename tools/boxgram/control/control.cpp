#include "control.hpp"

#include <fmt/format.h>

#include <boxgram/control/allow_list.hpp>

#include "boxgram/key_file.hpp"
#include "control_client.hpp"
#include "prompt.hpp"

namespace boxgram::tools {

int run_control(const ControlOptions& options, const OpenLink& open_link) {
  if (!options.words.empty()) {
    const auto command = parse_command(options.words);
    if (!command) return fail(kUsage, command.error().message, command.error().hint);
    if (command->kind == Command::Kind::help) {
      fmt::print("{}", help_text(command->method));
      return kOk;
    }
  }
  const auto server = options.find_server();
  if (!server) return fail(kUsage, config::to_string(server.error()));
  auto key = read_secret(options.key_path, kClientSecret);
  if (!key) return fail(kFailed, key.error());
  if (!*key)
    return fail(kUsage, fmt::format("there is no key in {}", options.key_path),
                "make one: boxgram keygen --client; or name another: --key FILE");
  const auto console = terminal_console();
  ControlClient client([&] { return open_link(*server, **key); }, *console,
                       control::client_key_text(crypto::public_key_of(**key)));
  if (!options.words.empty()) return client.run_words(options.words);
  const auto address = base::to_string(server->address);
  return run_prompt(client, *console, server->name.empty() ? address : server->name);
}

}  // namespace boxgram::tools
