#include <fmt/format.h>

#include "commands.hpp"
#include "local_data.hpp"

namespace boxgram::tools {
namespace {

using config::ConfigError;

/// Also reads the files that the configuration names.
template <class Config>
int check_files(const Config& config, const std::string& path, const char* command) {
  const auto data = load_local_data(config.local, config.block);
  if (!data) return fail(kUsage, config::to_string(data.error()));
  for (const auto& warning : data->warnings) fmt::print(stderr, "warning: {}\n", warning);
  fmt::print("{}: valid for boxgram {}\n", path, command);
  return kOk;
}

/// Which of two errors belongs to the command that was meant: the other kind of file fails at the
/// first key it does not share.
const ConfigError& later(const ConfigError& a, const ConfigError& b) {
  return a.line >= b.line ? a : b;
}

}  // namespace

int run_check(const CheckOptions& options) {
  if (options.kind == CheckOptions::Kind::stub) {
    const auto stub = config::load_stub_config(options.path);
    return stub ? check_files(*stub, options.path, "stub")
                : fail(kUsage, config::to_string(stub.error()));
  }
  const auto gateway = config::load_gateway_config(options.path);
  if (gateway) return check_files(*gateway, options.path, "gateway");
  if (options.kind == CheckOptions::Kind::gateway)
    return fail(kUsage, config::to_string(gateway.error()));
  const auto stub = config::load_stub_config(options.path);
  if (stub) return check_files(*stub, options.path, "stub");
  return fail(kUsage, config::to_string(later(gateway.error(), stub.error())));
}

}  // namespace boxgram::tools
