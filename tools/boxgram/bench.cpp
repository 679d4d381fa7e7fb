// boxgram bench: the parts in memory, then the whole on loopback. Figures compare within one run.
#include <algorithm>

#include "bench/load.hpp"
#include "bench/parts.hpp"
#include "bench/report.hpp"
#include "commands.hpp"

namespace boxgram::tools {

int run_bench(const BenchOptions& options) {
  bench::Report report(options.json);
  const auto wanted = [&](const char* part) {
    return options.parts.empty() ||
           std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end();
  };
  // A part in memory is steady after a tenth of what a load needs.
  const auto each = options.duration / 10;
  if (wanted("crypto")) bench::measure_crypto(report, each);
  if (wanted("codec")) bench::measure_codec(report, each);
  if (wanted("cache")) bench::measure_cache(report, each);
  if (wanted("transport")) bench::measure_transport(report, each);
  if (wanted("stream")) bench::measure_stream(report, each);
  if (wanted("load")) {
    const auto done = bench::measure_load(report, options);
    if (!done) return fail(kFailed, done.error());
  }
  report.finish();
  return kOk;
}

}  // namespace boxgram::tools
