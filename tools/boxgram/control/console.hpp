// Where a control client writes to and waits: the terminal, or a test.
#pragma once

#include <memory>
#include <string_view>

#include <boxgram/base/time.hpp>

namespace boxgram::tools {

class Console {
 public:
  virtual ~Console() = default;
  virtual void out(std::string_view text) = 0;
  virtual void err(std::string_view text) = 0;

  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };
  /// Whether somebody looks at `out`: only then are there screens.
  [[nodiscard]] virtual bool is_terminal() const = 0;
  [[nodiscard]] virtual Size size() const = 0;

  /// Between these two, keys are read one by one and not shown, and Ctrl-C is a way to leave.
  virtual void begin_watch() = 0;
  virtual void end_watch() = 0;
  /// Waits; false if the user wants to leave.
  virtual bool wait(base::Duration time) = 0;
  [[nodiscard]] virtual base::Instant now() const = 0;
};

/// Standard input, output and error.
std::unique_ptr<Console> terminal_console();

}  // namespace boxgram::tools
