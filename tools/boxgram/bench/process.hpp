// This program started once more as a child, to be measured from outside.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <boxgram/base/expected.hpp>

namespace boxgram::tools::bench {

/// Runs /proc/self/exe; killed and reaped when destroyed.
class Process {
 public:
  /// Waits at most 10 s for a line on the child's standard output that holds `ready`; output()
  /// then has all up to it. The error is a phrase for people.
  static base::expected<Process, std::string> start(std::vector<std::string> arguments,
                                                    const std::string& ready);
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;

  [[nodiscard]] const std::string& output() const { return output_; }
  /// CPU time of all its threads so far, microseconds.
  [[nodiscard]] double cpu_us() const;
  /// Resident memory, MB.
  [[nodiscard]] double memory_mb() const;

 private:
  Process() = default;

  pid_t pid_ = -1;
  int out_ = -1;
  std::string output_;
};

}  // namespace boxgram::tools::bench
