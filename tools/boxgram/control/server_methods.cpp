#include "server_methods.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <boxgram/net/clock.hpp>

#include "boxgram/log.hpp"
#include "cache_methods.hpp"
#include "client_methods.hpp"
#include "explain_method.hpp"
#include "metrics_json.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using control::MethodId;
using control::Result;
using control::rpc_error;
namespace code = control::code;

/// Rows of one page: 100 of 300 bytes leave room in a message.
constexpr std::size_t kPage = 100;

std::int64_t seconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

Json row_of(const SessionRow& session, base::Instant now) {
  return {{"id", session.id},
          {"client", session.client},
          {"from", base::to_string(session.from)},
          {"age_s", seconds(now - session.began)},
          {"requests", session.requests},
          {"outstanding", session.outstanding},
          {"in_bytes", session.bytes_in},
          {"out_bytes", session.bytes_out}};
}

constexpr std::pair<std::string_view, config::LogLevel> kLevels[] = {
    {"error", config::LogLevel::error},
    {"warning", config::LogLevel::warning},
    {"info", config::LogLevel::info},
    {"debug", config::LogLevel::debug}};

Result done() {
  return Json::object();
}

}  // namespace

void ServerMethods::call(const control::Method& method, const Json& params, const Reply& reply) {
  switch (method.id) {
    case MethodId::stats:
      return host_.numbers([reply](const Numbers& n) { reply(metrics_json(n.metrics)); });
    case MethodId::upstreams:
      return host_.numbers([reply](const Numbers& n) {
        reply(Json{{"upstreams", upstream_rows(n.upstreams)}});
      });
    case MethodId::explain:
      return explain(params, reply);
    // These end or interrupt what the response travels on: it is handed over first.
    case MethodId::clients_remove: {
      const auto result = remove_client(host_.clients(), params);
      reply(result);
      // Even where nothing was removed the list may be another one: it was read anew.
      return host_.clients_changed();
    }
    case MethodId::sessions_kill:
      return kill_session(params, reply);
    case MethodId::drain:
      reply(done());
      return host_.drain();
    case MethodId::shutdown:
      reply(done());
      return host_.shut_down();
    default:
      return reply(call_now(method.id, params));
  }
}

Result ServerMethods::call_now(MethodId id, const Json& params) {
  dns::SharedCache* cache = host_.cache();
  const auto of_cache = [&](auto f) -> Result {
    if (cache == nullptr) return rpc_error(code::failed, "the cache is off: cache.enabled = false");
    return f(*cache);
  };
  const base::Instant now = net::now();
  switch (id) {
    case MethodId::status:
      return status();
    case MethodId::cache_stats:
      return of_cache([&](auto& c) { return cache_stats(c); });
    case MethodId::cache_show:
      return of_cache([&](auto& c) { return cache_show(c, params, now); });
    case MethodId::cache_flush:
      return of_cache([&](auto& c) { return cache_flush(c, params); });
    case MethodId::cache_dump:
      return of_cache([&](auto& c) { return cache_dump(c, params, now); });
    case MethodId::cache_load:
      return of_cache([&](auto& c) { return cache_load(c, params, now); });
    case MethodId::keys_list:
      return list_keys();
    case MethodId::keys_rotate:
      return rotate_keys();
    case MethodId::clients_list:
      return list_clients(*host_.clients().list(), params);
    case MethodId::clients_add: {
      auto result = add_client(host_.clients(), params);
      if (result) host_.clients_changed();
      return result;
    }
    case MethodId::sessions_list:
      return list_sessions(params);
    case MethodId::reload:
      return reload();
    case MethodId::log:
      return set_log_level(params);
    default:
      return rpc_error(code::internal_error, "the method has no work to do");
  }
}

Result ServerMethods::status() const {
  Json status = host_.status();
  for (const auto& [name, level] : kLevels)
    if (level == log::level()) status["log_level"] = name;
  status["clients"] = host_.clients().list()->size();
  status["sessions"] = host_.sessions().size();
  return status;
}

Result ServerMethods::list_keys() const {
  Json rows = Json::array();
  for (const KeyRow& key : gateway_->keys()) {
    Json row = {{"id", key.id}, {"serial", key.serial}, {"newest", key.is_newest}};
    if (key.serial != 0) {
      row["not_before_unix"] = key.not_before;
      row["not_after_unix"] = key.not_after;
    }
    rows.push_back(std::move(row));
  }
  return Json{{"keys", std::move(rows)}};
}

Result ServerMethods::rotate_keys() {
  const auto rotated = gateway_->rotate_keys();
  if (!rotated) return rpc_error(code::failed, rotated.error());
  return list_keys();
}

Result ServerMethods::list_sessions(const Json& params) const {
  const auto cursor = params.value("cursor", std::string("0"));
  std::uint64_t last = 0;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), last);
  if (error != std::errc{} || end != cursor.data() + cursor.size())
    return rpc_error(code::invalid_params, "the cursor is not one of a page before");
  auto sessions = host_.sessions();
  std::erase_if(sessions, [&](const SessionRow& s) { return s.id <= last; });
  std::sort(sessions.begin(), sessions.end(),
            [](const SessionRow& a, const SessionRow& b) { return a.id < b.id; });
  Json result = {{"sessions", Json::array()}};
  for (std::size_t i = 0; i < sessions.size() && i < kPage; ++i)
    result["sessions"].push_back(row_of(sessions[i], net::now()));
  if (sessions.size() > kPage) result["cursor"] = std::to_string(sessions[kPage - 1].id);
  return result;
}

void ServerMethods::kill_session(const Json& params, const Reply& reply) {
  const auto id = params.at("id").get<std::uint64_t>();
  const auto sessions = host_.sessions();
  const bool is_there = std::any_of(sessions.begin(), sessions.end(),
                                    [&](const SessionRow& session) { return session.id == id; });
  if (!is_there)
    return reply(rpc_error(code::not_found, fmt::format("there is no session {}", id)));
  reply(done());
  host_.kill_session(id);
}

Result ServerMethods::reload() {
  const auto reloaded = host_.reload();
  if (reloaded) return done();
  auto message = reloaded.error();
  std::replace(message.begin(), message.end(), '\n', ';');  // the hint stands in a line of its own
  return rpc_error(code::failed, std::move(message));
}

Result ServerMethods::set_log_level(const Json& params) {
  const auto& text = params.at("level").get_ref<const std::string&>();
  for (const auto& [name, level] : kLevels) {
    if (name != text) continue;
    log::set_level(level);
    return done();
  }
  return rpc_error(code::invalid_params, "the level must be error, warning, info or debug");
}

void ServerMethods::explain(const Json& params, const Reply& reply) {
  auto question = question_of(params);
  if (!question) return reply(base::unexpected<control::RpcError>(question.error()));
  auto query = query_for(*question);
  host_.explain(std::move(query), [this, question = *question, reply](const Explained& explained) {
    reply(explanation_json(question, explained, host_.cache(), net::now()));
  });
}

}  // namespace boxgram::tools
