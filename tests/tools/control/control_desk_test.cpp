#include "boxgram/control/control_desk.hpp"

#include "scripted_host.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using control::Service;

class ControlDeskTest : public ::testing::Test {
 protected:
  crypto::PublicKey key() { return crypto::generate_key_pair(host.rng).public_key; }
  crypto::PublicKey listed(const char* name, control::Services services) {
    const auto made = key();
    EXPECT_TRUE(host.clients_file.add(made, name, services));
    return made;
  }
  void change(const char* name, const crypto::PublicKey& whose, control::Services services) {
    EXPECT_TRUE(host.clients_file.remove(name));
    EXPECT_TRUE(host.clients_file.add(whose, name, services));
  }
  /// The code of the error that a request ends with; 0 for a result.
  int call(base::Handle connection, const char* method) {
    int code = 0;
    desk.handle(connection, base::as_bytes(control::request_text(1, method, Json::object())),
                [&](const std::string& text) {
                  const auto response = Json::parse(text);
                  if (response.contains("error")) code = response["error"]["code"].get<int>();
                });
    return code;
  }

  ScriptedHost host;
  ServerMethods methods{static_cast<GatewayHost&>(host)};
  ControlDesk desk{methods, host.clients_file};
};

TEST_F(ControlDeskTest, AKeyOfNobodyGetsDnsWhereItIsForAllAndNeverControl) {
  EXPECT_FALSE(desk.admit(1, key()));
  desk.set_dns_for(ControlDesk::For::listed);
  EXPECT_FALSE(desk.admit(1, key()));
  desk.set_dns_for(ControlDesk::For::all);
  const auto rights = desk.admit(1, key());
  ASSERT_TRUE(rights);
  EXPECT_TRUE(rights->dns);
  EXPECT_FALSE(rights->control);
}

TEST_F(ControlDeskTest, WhereThereIsNoDnsTheListGivesNone) {
  EXPECT_FALSE(desk.admit(1, listed("phone", {Service::dns})));
  const auto rights = desk.admit(2, listed("laptop", {Service::dns, Service::control}));
  ASSERT_TRUE(rights);
  EXPECT_FALSE(rights->dns);
  EXPECT_TRUE(rights->control);
}

TEST_F(ControlDeskTest, AReadingKeyChangesNothing) {
  ASSERT_TRUE(desk.admit(1, listed("eye", {Service::control_read})));
  EXPECT_EQ(call(1, "status"), 0);
  EXPECT_EQ(call(1, "drain"), control::code::not_authorised);
  EXPECT_TRUE(host.told.empty() || host.told.back() != "drain");
}

TEST_F(ControlDeskTest, AControllingSessionEndsWithAnyChangeOfItsRights) {
  const auto whose = listed("laptop", {Service::control});
  ASSERT_TRUE(desk.admit(1, whose));
  EXPECT_TRUE(desk.recheck().empty()) << "nothing has changed";
  change("laptop", whose, {Service::control_read});
  const auto changes = desk.recheck();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].connection, 1u);
  EXPECT_FALSE(changes[0].rights);
}

TEST_F(ControlDeskTest, ADnsSessionTakesOverWhatTheListSaysNow) {
  desk.set_dns_for(ControlDesk::For::listed);
  const auto whose = listed("phone", {Service::dns});
  ASSERT_TRUE(desk.admit(1, whose));
  change("phone", whose, {Service::control_read});
  const auto changes = desk.recheck();
  ASSERT_EQ(changes.size(), 1u);
  ASSERT_TRUE(changes[0].rights);
  EXPECT_FALSE(changes[0].rights->dns);
  EXPECT_TRUE(changes[0].rights->control);
  EXPECT_EQ(call(1, "drain"), control::code::not_authorised) << "with the rights of now";
  EXPECT_TRUE(desk.recheck().empty());
}

TEST_F(ControlDeskTest, WhatIsNoLongerForAllIsTakenFromThoseOnNoList) {
  desk.set_dns_for(ControlDesk::For::all);
  ASSERT_TRUE(desk.admit(1, key()));
  ASSERT_TRUE(desk.admit(2, listed("phone", {Service::dns})));
  desk.set_dns_for(ControlDesk::For::listed);
  const auto changes = desk.recheck();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].connection, 1u);
  EXPECT_FALSE(changes[0].rights);
}

}  // namespace
}  // namespace boxgram::tools
