#include "console.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

/// Set by SIGINT and SIGTERM while something is watched.
volatile std::sig_atomic_t interrupted = 0;

void on_signal(int) {
  interrupted = 1;
}

class Terminal final : public Console {
 public:
  ~Terminal() override { end_watch(); }

  void out(std::string_view text) override {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  void err(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stderr); }

  [[nodiscard]] bool is_terminal() const override { return isatty(STDOUT_FILENO) == 1; }
  [[nodiscard]] Size size() const override {
    winsize window{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0)
      return {};
    return {window.ws_row, window.ws_col};
  }

  void begin_watch() override {
    if (watching_) return;
    watching_ = true;
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = on_signal;  // without SA_RESTART: a wait ends
    sigaction(SIGINT, &action, &old_interrupt_);
    sigaction(SIGTERM, &action, &old_terminate_);
    has_keys_ = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &old_mode_) == 0;
    if (!has_keys_) return;
    termios mode = old_mode_;
    mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &mode);
  }
  void end_watch() override {
    if (!watching_) return;
    watching_ = false;
    if (has_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &old_mode_);
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
  }

  bool wait(base::Duration time) override {
    const base::Instant end = net::now() + time;
    while (interrupted == 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - net::now());
      if (left.count() <= 0) return true;
      // A watch without a keyboard only waits.
      pollfd keys{has_keys_ ? STDIN_FILENO : -1, POLLIN, 0};
      if (poll(&keys, 1, static_cast<int>(left.count())) <= 0) continue;
      char key = 0;
      if (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q') return false;
    }
    return false;
  }
  [[nodiscard]] base::Instant now() const override { return net::now(); }

 private:
  bool watching_ = false;
  bool has_keys_ = false;
  termios old_mode_{};
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

}  // namespace

std::unique_ptr<Console> terminal_console() {
  return std::make_unique<Terminal>();
}

}  // namespace boxgram::tools
