#include <fmt/format.h>

#include <boxgram/control/json_rpc.hpp>

namespace boxgram::control {
namespace {

constexpr std::size_t kMaxId = 128;

/// The deepest nesting of brackets outside of strings. Exact for valid JSON, and for other bytes
/// never less than what a parser descends to before it sees the mistake.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

Json parse(std::string_view text) {
  if (depth_of(text) > kMaxDepth) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

bool is_id(const Json& id) {
  if (id.is_string()) return id.get_ref<const std::string&>().size() <= kMaxId;
  return id.is_number() || id.is_null();
}

bool has_version(const Json& message) {
  const auto version = message.find("jsonrpc");
  return version != message.end() && version->is_string() && *version == "2.0";
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json frame(const Json& id) {
  return {{"jsonrpc", "2.0"}, {"id", id}};
}

std::string error_text(const Json& id, const RpcError& error) {
  Json response = frame(id);
  response["error"] = {{"code", error.code}, {"message", error.message}};
  return dump(response);
}

}  // namespace

base::expected<RpcRequest, BadRequest> parse_request(std::string_view text) {
  const auto refuse = [](int code, std::string message, Json id = nullptr) {
    return base::unexpected<BadRequest>(
        BadRequest{std::move(id), RpcError{code, std::move(message)}});
  };
  if (text.size() > kMaxMessage)
    return refuse(code::invalid_request,
                  fmt::format("a request has at most {} bytes", kMaxMessage));
  Json message = parse(text);
  if (message.is_discarded()) return refuse(code::parse_error, "the request is not JSON");
  if (message.is_array()) return refuse(code::invalid_request, "batches are not served");
  if (!message.is_object()) return refuse(code::invalid_request, "a request is an object");
  const auto id = message.find("id");
  if (id == message.end())
    return refuse(code::invalid_request, "a request has an id; notifications are not served");
  if (!is_id(*id))
    return refuse(code::invalid_request, "an id is a number, null or a string of 128 bytes");
  RpcRequest request;
  request.id = std::move(*id);
  if (!has_version(message))
    return refuse(code::invalid_request, "\"jsonrpc\" must be \"2.0\"", request.id);
  const auto method = message.find("method");
  if (method == message.end() || !method->is_string())
    return refuse(code::invalid_request, "\"method\" must be a string", request.id);
  request.method = method->get<std::string>();
  const auto params = message.find("params");
  if (params != message.end()) {
    if (!params->is_object())
      return refuse(code::invalid_params, "\"params\" must be an object", request.id);
    request.params = std::move(*params);
  }
  return request;
}

std::string response_text(const Json& id, const Result& result) {
  if (!result) return error_text(id, result.error());
  Json response = frame(id);
  response["result"] = *result;
  auto text = dump(response);
  if (text.size() <= kMaxMessage) return text;
  return error_text(id, {code::internal_error, "the result is too long for a message"});
}

std::string request_text(std::uint64_t id, std::string_view method, const Json& params) {
  Json request = frame(id);
  request["method"] = method;
  if (!params.empty()) request["params"] = params;
  return dump(request);
}

Result parse_response(std::string_view text, std::uint64_t id) {
  const auto nonsense = [](const char* what) {
    return rpc_error(code::internal_error, fmt::format("the server's response is {}", what));
  };
  if (text.size() > kMaxMessage) return nonsense("too long");
  Json message = parse(text);
  if (!message.is_object() || !has_version(message)) return nonsense("no JSON-RPC 2.0");
  const auto error = message.find("error");
  if (error != message.end()) {
    if (!error->is_object()) return nonsense("an error without a code");
    const auto number = error->find("code");
    const auto words = error->find("message");
    if (number == error->end() || !number->is_number_integer() || words == error->end() ||
        !words->is_string())
      return nonsense("an error without a code");
    return rpc_error(number->get<int>(), words->get<std::string>());
  }
  const auto own_id = message.find("id");
  if (own_id == message.end() || !own_id->is_number_unsigned() || *own_id != id)
    return nonsense("the answer to another request");
  const auto result = message.find("result");
  if (result == message.end()) return nonsense("without a result");
  return std::move(*result);
}

}  // namespace boxgram::control
