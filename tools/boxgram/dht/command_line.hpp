// `boxgram dht ...` on the command line.
#pragma once

namespace CLI {
class App;
}

namespace boxgram::tools {

/// Adds the command and what stands below it; the chosen one sets `code`.
void add_dht(CLI::App& app, int& code);

}  // namespace boxgram::tools
