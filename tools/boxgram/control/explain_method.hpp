// explain: what would become of a question, and why. docs/control.md.
#pragma once

#include <vector>

#include <boxgram/base/time.hpp>
#include <boxgram/control/json_rpc.hpp>

#include "host.hpp"

namespace boxgram::tools {

struct Question {
  dns::Name name;
  std::uint16_t type = 0;
};

/// Reads "name" and "type".
base::expected<Question, control::RpcError> question_of(const control::Json& params);
std::vector<std::uint8_t> query_for(const Question& question);
/// `cache` may be null. The answer held is the one for a question without DO and CD.
control::Json explanation_json(const Question& question, const Explained& explained,
                               const dns::SharedCache* cache, base::Instant now);

/// The rows of `upstreams` and `explain`.
control::Json upstream_rows(const std::vector<UpstreamRow>& upstreams);

}  // namespace boxgram::tools
