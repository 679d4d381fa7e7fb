// A gateway that a test is: it holds real parts where they are pure and notes what it is told.
#pragma once

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "boxgram/control/client_file.hpp"
#include "boxgram/control/host.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::tools {

class ScriptedHost : public GatewayHost {
  static std::string new_folder() {
    std::string name = ::testing::TempDir() + "boxgram-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return name;
  }
  std::string folder_ = new_folder();

 public:
  ~ScriptedHost() override { std::filesystem::remove_all(folder_); }

  control::Json status() const override { return {{"program", "gateway"}, {"uptime_s", 12}}; }
  void numbers(std::function<void(Numbers)> done) override {
    if (is_slow)
      waiting.push_back(std::move(done));
    else
      done(counted);
  }
  void explain(std::vector<std::uint8_t> query, std::function<void(Explained)> done) override {
    const dns::Forwarder forwarder(rules, nullptr, rng, {});
    Explained explained{forwarder.explain(query), rules, {}};
    for (const auto i : explained.way.upstreams)
      explained.upstreams.push_back({rules->upstreams[i].name, forwarder.upstream_state(i)});
    done(explained);
  }
  dns::SharedCache* cache() override { return has_cache ? &shared : nullptr; }
  ClientFile& clients() override { return clients_file; }
  void clients_changed() override { tell("clients_changed"); }
  std::vector<SessionRow> sessions() const override { return open_sessions; }
  void kill_session(std::uint64_t id) override {
    tell("kill_session");
    std::erase_if(open_sessions, [&](const SessionRow& session) { return session.id == id; });
  }
  base::expected<void, std::string> reload() override { return act("reload"); }
  void drain() override { tell("drain"); }
  void shut_down() override { tell("shut_down"); }
  std::vector<KeyRow> keys() const override {
    return {{"0011223344556677", 7, 1'000, 2'000, false},
            {"8899aabbccddeeff", 8, 1'500, 2'500, true}};
  }
  base::expected<void, std::string> rotate_keys() override { return act("rotate_keys"); }

  std::function<void()> on_told = [] {};  ///< before `told` grows
  bool is_slow = false;
  bool has_cache = true;
  std::string failure;  ///< what the next action fails with
  Numbers counted;
  std::vector<std::function<void(Numbers)>> waiting;
  std::vector<std::string> told;
  std::vector<SessionRow> open_sessions;
  test::SeededRng rng{1};
  dns::SharedCache shared{dns::CacheOptions{}, rng};
  std::shared_ptr<dns::ForwarderConfig> rules = std::make_shared<dns::ForwarderConfig>();
  ClientFile clients_file{folder_ + "/clients"};

 private:
  base::expected<void, std::string> act(const char* what) {
    if (!failure.empty()) return base::unexpected<std::string>(failure);
    tell(what);
    return {};
  }
  void tell(const char* what) {
    on_told();
    told.emplace_back(what);
  }
};

}  // namespace boxgram::tools
