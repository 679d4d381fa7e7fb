#include "process.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boxgram/net/clock.hpp>

extern char** environ;

namespace boxgram::tools::bench {

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      output_(std::move(other.output_)) {}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) close(out_);
}

base::expected<Process, std::string> Process::start(std::vector<std::string> arguments,
                                                    const std::string& ready) {
  using base::unexpected;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return unexpected<std::string>("no pipe to a child");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  arguments.insert(arguments.begin(), "boxgram");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  Process process;
  process.out_ = ends[0];
  const int error =
      posix_spawn(&process.pid_, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) {
    process.pid_ = -1;
    return unexpected<std::string>(fmt::format("cannot start a child: {}", std::strerror(error)));
  }
  const auto end = net::now() + std::chrono::seconds(10);
  while (process.output_.find(ready) == std::string::npos) {
    pollfd wait{process.out_, POLLIN, 0};
    char block[512];
    const ssize_t n =
        net::now() < end && poll(&wait, 1, 1000) > 0 ? read(process.out_, block, sizeof block) : 0;
    if (n <= 0 && (n < 0 || (wait.revents & POLLHUP) != 0 || net::now() >= end))
      return unexpected<std::string>(fmt::format("'boxgram {}' did not start", arguments[1]));
    process.output_.append(block, static_cast<std::size_t>(n));
  }
  return process;
}

double Process::cpu_us() const {
  double total = 0;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_))) {
    std::ifstream file(task.path() / "schedstat");
    double ns = 0;
    file >> ns;
    total += ns / 1e3;
  }
  return total;
}

double Process::memory_mb() const {
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid_));
  for (std::string word; file >> word;)
    if (double kb = 0; word == "Rss:" && file >> kb) return kb / 1024;
  return 0;
}

}  // namespace boxgram::tools::bench
