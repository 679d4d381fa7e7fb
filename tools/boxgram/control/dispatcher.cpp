#include "dispatcher.hpp"

#include <utility>

#include <fmt/format.h>

#include <boxgram/base/check.hpp>

#include "boxgram/log.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using control::Method;
using control::Result;
using control::rpc_error;

/// The parameter that the log shows, "name=laptop" or nothing.
std::string subject_of(const Method& method, const Json& params) {
  if (method.logged.empty()) return {};
  const auto found = params.find(method.logged);
  if (found == params.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void log_change(const std::string& client, const Method& method, const std::string& subject,
                const Result& result) {
  const std::string outcome = result ? "done" : result.error().message;
  if (subject.empty())
    log::info("control", {{"client", client}, {"command", method.name}, {"outcome", outcome}});
  else
    log::info(
        "control",
        {{"client", client}, {"command", method.name}, {"subject", subject}, {"outcome", outcome}});
}

}  // namespace

Dispatcher::Dispatcher(ServerMethods& methods, Caller caller)
    : methods_(methods), session_(std::make_shared<Session>(Session{std::move(caller), 0})) {}

void Dispatcher::handle(std::string_view text, const Send& send) {
  const auto answer = [&send](const Json& id, const Result& result) {
    send(control::response_text(id, result));
  };
  auto request = control::parse_request(text);
  if (!request) {
    auto& bad = request.error();
    return answer(bad.id, base::unexpected<control::RpcError>(std::move(bad.error)));
  }
  const Method* method = control::find_method(request->method);
  if (method == nullptr || !methods_.serves(*method))
    return answer(request->id, rpc_error(control::code::method_not_found,
                                         method == nullptr ? "there is no such method"
                                                           : "only a gateway has this method"));
  if (method->changes && !session_->caller.may_change) {
    log::warning("control refused",
                 {{"client", session_->caller.client}, {"command", method->name}});
    return answer(request->id, rpc_error(control::code::not_authorised,
                                         fmt::format("the key of {} may only read; {} changes "
                                                     "something",
                                                     session_->caller.client, method->name)));
  }
  if (auto wrong = control::check_params(*method, request->params))
    return answer(request->id, base::unexpected<control::RpcError>(std::move(*wrong)));
  if (session_->outstanding == kMaxOutstanding)
    return answer(request->id,
                  rpc_error(control::code::busy,
                            fmt::format("{} requests are waiting already", kMaxOutstanding)));
  ++session_->outstanding;
  const auto reply = [session = std::weak_ptr(session_), send, client = session_->caller.client,
                      method, id = request->id, subject = subject_of(*method, request->params),
                      replied = std::make_shared<bool>(false)](const Result& result) {
    BOXGRAM_CHECK(!std::exchange(*replied, true));
    if (method->changes) log_change(client, *method, subject, result);
    const auto alive = session.lock();
    if (alive == nullptr) return;
    --alive->outstanding;
    send(control::response_text(id, result));
  };
  methods_.call(*method, request->params, reply);
}

}  // namespace boxgram::tools
