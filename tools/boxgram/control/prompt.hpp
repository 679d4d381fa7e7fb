// The prompt of a control session: a line editor with history and completion, or lines from a pipe.
#pragma once

#include <string>

#include "control_client.hpp"

namespace boxgram::tools {

/// Reads commands until the end of input or `quit`. At a terminal a failed command is no end, and
/// the exit code is 0; from a pipe the first one is, and its exit code is returned: a script must
/// not go on.
Exit run_prompt(ControlClient& client, Console& console, const std::string& name);

/// ${XDG_STATE_HOME:-~/.local/state}/boxgram/control_history; empty where there is no home.
std::string history_path();

}  // namespace boxgram::tools
