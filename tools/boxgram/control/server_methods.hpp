// The control methods, as a server carries them out over its Host.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boxgram/control/methods.hpp>

#include "host.hpp"

namespace boxgram::tools {

class ServerMethods {
 public:
  using Reply = std::function<void(const control::Result&)>;

  /// What the program is decides what is served: a stub has no keys. `host` outlives this.
  explicit ServerMethods(Host& host) : host_(host), gateway_(nullptr) {}
  explicit ServerMethods(GatewayHost& host) : host_(host), gateway_(&host) {}

  [[nodiscard]] bool serves(const control::Method& method) const {
    return method.served == control::Served::by_both || gateway_ != nullptr;
  }

  /// REQUIRES: serves(method); `params` have passed control::check_params; the caller may.
  /// `reply` is called once, now or when workers have answered.
  void call(const control::Method& method, const control::Json& params, const Reply& reply);

 private:
  using Json = control::Json;
  using Result = control::Result;

  [[nodiscard]] Result call_now(control::MethodId id, const Json& params);
  [[nodiscard]] Result status() const;
  [[nodiscard]] Result list_keys() const;
  [[nodiscard]] Result rotate_keys();
  [[nodiscard]] Result list_sessions(const Json& params) const;
  [[nodiscard]] Result reload();
  [[nodiscard]] Result set_log_level(const Json& params);
  void kill_session(const Json& params, const Reply& reply);
  void explain(const Json& params, const Reply& reply);

  Host& host_;
  GatewayHost* gateway_;
};

}  // namespace boxgram::tools
