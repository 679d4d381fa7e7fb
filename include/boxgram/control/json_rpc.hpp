// Control messages. Source: JSON-RPC 2.0 (jsonrpc.org/specification); docs/control.md says which
// part of it: objects as parameters, no batches, no notifications.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <boxgram/base/expected.hpp>

namespace boxgram::control {

using Json = nlohmann::json;

/// A request or a response, in bytes: fits a stream message with room to spare, and a page of a
/// cache dump is worth its round trip.
inline constexpr std::size_t kMaxMessage = 48 * 1024;
/// Deeper than anything that a method takes or gives; bounds the parser's stack.
inline constexpr std::size_t kMaxDepth = 16;

/// The codes of JSON-RPC 2.0, then ours.
namespace code {
inline constexpr int parse_error = -32700;
inline constexpr int invalid_request = -32600;
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;
inline constexpr int internal_error = -32603;
inline constexpr int not_authorised = -32001;  ///< the key may only read
inline constexpr int failed = -32002;          ///< understood, tried, and it did not work
inline constexpr int not_found = -32003;       ///< no such client, session, name
inline constexpr int busy = -32004;            ///< too many requests at once, or draining
}  // namespace code

/// What went wrong, for a program (`code`) and for people (`message`).
struct RpcError {
  int code = code::internal_error;
  std::string message;
};

using Result = base::expected<Json, RpcError>;

/// For `return rpc_error(code::failed, "...")` in a function that gives a Result.
inline base::unexpected<RpcError> rpc_error(int code, std::string message) {
  return base::unexpected<RpcError>(RpcError{code, std::move(message)});
}

struct RpcRequest {
  Json id;  ///< a string of at most 128 bytes, a number or null: goes back as it came
  std::string method;
  Json params = Json::object();  ///< always an object
};

/// A request that cannot be served; `id` is null where it could not be read.
struct BadRequest {
  Json id;
  RpcError error;
};

/// Errors: parse_error for what is no JSON (or deeper than kMaxDepth), invalid_request for what is
/// too long, a batch, without an id, or not a request; invalid_params for params that are no
/// object.
base::expected<RpcRequest, BadRequest> parse_request(std::string_view text);

/// Text that is not UTF-8 becomes U+FFFD. A result that makes the response longer than kMaxMessage
/// becomes an internal_error: methods page what can be long.
std::string response_text(const Json& id, const Result& result);

/// The client's side.
std::string request_text(std::uint64_t id, std::string_view method, const Json& params);
/// The result or the error that a peer's response to request `id` holds; an internal_error for what
/// is no response to it.
Result parse_response(std::string_view text, std::uint64_t id);

}  // namespace boxgram::control
