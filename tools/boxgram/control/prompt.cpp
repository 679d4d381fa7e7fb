#include "prompt.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

namespace boxgram::tools {
namespace {

/// Enough to find last month's command again.
constexpr int kHistory = 1'000;

/// libedit behind three calls.
class LineEditor {
 public:
  explicit LineEditor(std::string prompt)
      : prompt_(std::move(prompt)),
        editor_(el_init("boxgram", stdin, stdout, stderr), &el_end),
        history_(history_init(), &history_end),
        path_(history_path()) {
    if (editor_ == nullptr || history_ == nullptr) return;
    el_set(editor_.get(), EL_CLIENTDATA, this);
    el_set(editor_.get(), EL_PROMPT, &LineEditor::show_prompt);
    el_set(editor_.get(), EL_EDITOR, "emacs");
    el_set(editor_.get(), EL_SIGNAL, 1);
    el_set(editor_.get(), EL_HIST, history, history_.get());
    el_set(editor_.get(), EL_ADDFN, "complete", "complete a command", &LineEditor::complete);
    el_set(editor_.get(), EL_BIND, "^I", "complete", nullptr);
    HistEvent event;
    history(history_.get(), &event, H_SETSIZE, kHistory);
    history(history_.get(), &event, H_SETUNIQUE, 1);
    if (!path_.empty()) history(history_.get(), &event, H_LOAD, path_.c_str());
  }
  ~LineEditor() {
    if (history_ == nullptr || path_.empty()) return;
    // It holds names that were looked up: for its owner only, from the first byte on.
    const mode_t before = umask(077);
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
    HistEvent event;
    history(history_.get(), &event, H_SAVE, path_.c_str());
    chmod(path_.c_str(), 0600);
    umask(before);
  }
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  [[nodiscard]] bool works() const { return editor_ != nullptr && history_ != nullptr; }

  /// False at the end of input.
  bool read(std::string& line) {
    int size = 0;
    const char* text = el_gets(editor_.get(), &size);
    if (text == nullptr || size <= 0) return false;
    line.assign(text, static_cast<std::size_t>(size));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    HistEvent event;
    if (!split_words(line).empty()) history(history_.get(), &event, H_ENTER, line.c_str());
    return true;
  }

 private:
  static char* show_prompt(EditLine* editor) {
    LineEditor* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return self->prompt_.data();
  }

  /// The part that all have in common; a list of them when that is nothing more.
  static unsigned char complete(EditLine* editor, int) {
    const LineInfo* info = el_line(editor);
    const std::string_view line(info->buffer,
                                static_cast<std::size_t>(info->cursor - info->buffer));
    const auto found = completions(line);
    if (found.empty()) return CC_REFRESH_BEEP;
    const auto blank = line.find_last_of(" \t");
    const std::size_t typed = line.size() - (blank == std::string_view::npos ? 0 : blank + 1);
    std::string common = found.front();
    for (const auto& other : found) {
      const auto end = std::mismatch(common.begin(), common.end(), other.begin(), other.end());
      common.erase(end.first, common.end());
    }
    std::string more = common.substr(typed);
    if (found.size() == 1) more += ' ';
    if (!more.empty()) return el_insertstr(editor, more.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    std::string list = "\n";
    for (const auto& word : found) list += word + "  ";
    fmt::print("{}\n", list);
    std::fflush(stdout);
    return CC_REDISPLAY;
  }

  std::string prompt_;
  std::unique_ptr<EditLine, void (*)(EditLine*)> editor_;
  std::unique_ptr<History, void (*)(History*)> history_;
  std::string path_;
};

/// True if the words leave the prompt.
bool leaves(const std::vector<std::string>& words) {
  return words.size() == 1 && (words.front() == "quit" || words.front() == "exit");
}

Exit run_script(ControlClient& client, std::istream& in) {
  std::string line;
  while (std::getline(in, line)) {
    const auto words = split_words(line);
    if (words.empty() || words.front().starts_with('#')) continue;
    if (leaves(words)) break;
    if (const Exit exit = client.run_words(words); exit != kOk) return exit;
  }
  return kOk;
}

}  // namespace

std::string history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/boxgram/control_history";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return {};
  return std::string(home) + "/.local/state/boxgram/control_history";
}

Exit run_prompt(ControlClient& client, Console& console, const std::string& name) {
  if (isatty(STDIN_FILENO) != 1) return run_script(client, std::cin);
  // Who cannot connect should not learn it from the first command.
  const std::string status[] = {"status"};
  if (const Exit exit = client.run_words(status); exit != kOk) return exit;
  LineEditor editor(name + "> ");
  if (!editor.works()) return run_script(client, std::cin);
  console.out("help shows all commands, Tab completes, quit leaves\n");
  std::string line;
  while (editor.read(line)) {
    const auto words = split_words(line);
    if (words.empty()) continue;
    if (leaves(words)) break;
    client.run_words(words);
  }
  return kOk;
}

}  // namespace boxgram::tools
