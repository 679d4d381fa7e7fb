// Figures as they come: a row each for people, one object for programs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <boxgram/base/time.hpp>

namespace boxgram::tools::bench {

class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  /// Starts a group of rows.
  void part(std::string_view name);
  /// A figure; `base` and `ratio` name what it is measured against, if anything.
  void row(std::string_view name, double value, std::string_view unit, std::string_view base = {},
           double ratio = 0);
  /// Says what is being done, on a terminal only; overwritten by the next output.
  void progress(std::string_view what) const;
  /// Prints the object, if it is wanted.
  void finish() const;

 private:
  bool json_;
  std::string part_;
  nlohmann::ordered_json figures_ = nlohmann::ordered_json::array();
};

/// CPU time of this thread for one call of `op`, in microseconds: `op` is repeated in blocks until
/// `duration` has passed. REQUIRES: `op` does its work again at every call.
double cpu_us(base::Duration duration, const std::function<void()>& op);

}  // namespace boxgram::tools::bench
