#include "query_log.hpp"

#include <boxgram/dns/message_text.hpp>

#include "log.hpp"

namespace boxgram::tools {

void log_query(base::Bytes message, const base::SocketAddress& from) {
  const auto query = dns::message_text(message);
  if (!query) return;
  log::info("query", {{"name", query->question_name},
                      {"type", query->question_type},
                      {"from", base::to_string(from)}});
}

}  // namespace boxgram::tools
