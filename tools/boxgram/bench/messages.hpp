// The messages that the measurements use: "hN.bench.test. A" and its answer.
#pragma once

#include <cstdint>
#include <vector>

#include <boxgram/base/bytes.hpp>

namespace boxgram::tools::bench {

/// As a client asks it, with a bare OPT at the end.
std::vector<std::uint8_t> query_for(std::uint32_t n);

/// As an authoritative server answers `query`: one A record with a TTL of a day, OPT.
/// REQUIRES: `query` is one of query_for(), its ID and letters aside.
std::vector<std::uint8_t> answer_to(base::Bytes query);

}  // namespace boxgram::tools::bench
