// The parts of the program measured in memory, each beside the bare operation it cannot do without.
#pragma once

#include <boxgram/base/time.hpp>

#include "report.hpp"

namespace boxgram::tools::bench {

void measure_crypto(Report& report, base::Duration each);
void measure_codec(Report& report, base::Duration each);
void measure_cache(Report& report, base::Duration each);
/// A packet::Client and a packet::Server on this thread, without a socket.
void measure_transport(Report& report, base::Duration each);
/// A stream::Client and a stream::Server likewise.
void measure_stream(Report& report, base::Duration each);

/// CPU time of a DNS round trip over datagrams on a live association, both ends, without a socket.
double live_round_trip_us(base::Duration each);

}  // namespace boxgram::tools::bench
