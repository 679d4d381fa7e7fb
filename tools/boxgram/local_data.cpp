#include "local_data.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include <boxgram/dns/hosts.hpp>

namespace boxgram::tools {
namespace {

using config::ConfigError;

base::unexpected<ConfigError> problem(std::string source, std::string message, std::string hint) {
  return base::unexpected<ConfigError>(
      ConfigError{std::move(source), 0, 0, std::move(message), std::move(hint)});
}

base::expected<std::string, ConfigError> read_file(const std::string& path) {
  // Lists of a million names have about 30 MB; more is a wrong file (a device, a core dump).
  constexpr std::size_t kMaxSize = 512u << 20;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) {
    std::vector<char> chunk(1 << 16);
    while (text.size() <= kMaxSize &&
           (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())), file.gcount() > 0))
      text.append(chunk.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (!file.is_open() || file.bad())
    return problem(path, fmt::format("cannot be read: {}", std::strerror(errno)),
                   "name an existing file that the user of boxgram may read");
  if (text.size() > kMaxSize)
    return problem(path, "larger than 512 MiB", "keep block lists below a few million names");
  return text;
}

void warn(LocalData& data, const std::string& path, const dns::ListReport& report) {
  for (const auto& mistake : report.first)
    data.warnings.push_back(fmt::format("{}:{}: {}", path, mistake.line, mistake.what));
  if (report.mistakes > report.first.size())
    data.warnings.push_back(
        fmt::format("{}: {} more lines were skipped", path, report.mistakes - report.first.size()));
}

}  // namespace

base::expected<LocalData, ConfigError> load_local_data(const config::LocalConfig& local,
                                                       const config::BlockConfig& block) {
  LocalData data;
  for (const auto& record : local.records) data.zone.add(record);
  for (const auto& zone : local.zones) data.zone.add_local(zone);
  for (const auto& name : block.names) data.block_list.add_text(name);
  for (const auto& path : local.hosts_files) {
    const auto text = read_file(path);
    if (!text) return base::unexpected<ConfigError>(text.error());
    warn(data, path, dns::add_hosts(*text, data.zone));
  }
  for (const auto& path : block.files) {
    const auto text = read_file(path);
    if (!text) return base::unexpected<ConfigError>(text.error());
    warn(data, path, data.block_list.add_text(*text));
  }
  return data;
}

}  // namespace boxgram::tools
