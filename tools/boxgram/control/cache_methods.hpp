// cache.stats, cache.show, cache.flush, cache.dump, cache.load: docs/control.md.
#pragma once

#include <boxgram/base/time.hpp>
#include <boxgram/control/json_rpc.hpp>
#include <boxgram/dns/shared_cache.hpp>

namespace boxgram::tools {

control::Result cache_stats(const dns::SharedCache& cache);
control::Result cache_show(const dns::SharedCache& cache, const control::Json& params,
                           base::Instant now);
control::Result cache_flush(dns::SharedCache& cache, const control::Json& params);
control::Result cache_dump(const dns::SharedCache& cache, const control::Json& params,
                           base::Instant now);
control::Result cache_load(dns::SharedCache& cache, const control::Json& params, base::Instant now);

/// What is held for a question, or null: "state", "age_s" and the like, without records.
control::Json cached_state(const dns::QueryKey& key, const dns::CacheEntryView& view);

}  // namespace boxgram::tools
