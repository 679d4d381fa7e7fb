#include <gtest/gtest.h>

#include <boxgram/control/allow_list.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::control {
namespace {

crypto::PublicKey key_of(std::uint64_t seed) {
  test::SeededRng rng(seed);
  return crypto::generate_key_pair(rng).public_key;
}

std::string line_of(std::uint64_t seed, std::string_view rest) {
  return client_key_text(key_of(seed)) + " " + std::string(rest) + "\n";
}

ListError error_of(std::string_view text) {
  const auto list = AllowList::parse(text);
  EXPECT_FALSE(list) << text;
  return list ? ListError{} : list.error();
}

TEST(AllowList, CommentsBlankLinesAndTheOrderOfFieldsAreFree) {
  const auto text = "# who may come\n\n" + line_of(1, "services=control,dns name=laptop # mine") +
                    "  \t\r\n\t" + line_of(2, "name=cron\tservices=control:read\r") +
                    client_key_text(key_of(3)) + " services=dht name=last.one";
  const auto list = AllowList::parse(text);
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 3u);
  const auto* laptop = list->find(key_of(1));
  ASSERT_NE(laptop, nullptr);
  EXPECT_EQ(laptop->name, "laptop");
  EXPECT_EQ(laptop->services, (Services{Service::control, Service::dns}));
  EXPECT_EQ(laptop->line, 3u);
  EXPECT_EQ(list->find(key_of(2))->services, Services{Service::control_read});
  EXPECT_EQ(list->find(key_of(3))->name, "last.one");
  EXPECT_EQ(list->find(key_of(4)), nullptr);
}

TEST(AllowList, AnEmptyOneAllowsNobody) {
  const auto list = AllowList::parse("");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->find(key_of(1)), nullptr);
}

TEST(AllowList, ErrorsNamePlaceExpectationAndRemedy) {
  const auto key = client_key_text(key_of(1));
  const struct {
    std::string text;
    std::uint32_t line, column;
    const char* message;
  } cases[] = {
      {"# x\nhello world\n", 2, 1, "expected a key, x25519:..., found 'hello'"},
      {"x25519:AAAA services=dns name=a\n", 1, 8, "expected the 43 base64url characters"},
      {"  " + key + "A services=dns name=a", 1, 10, "expected the 43 base64url characters"},
      {key + " services=dns,web name=a", 1, 65, "expected a service, found 'web'"},
      {key + " services= name=a", 1, 61, "expected a service, found ''"},
      {key + " services=dns, name=a", 1, 65, "expected a service, found ''"},
      {key + " services=dns name=", 1, 70, "'' is not a client's name"},
      {key + " services=dns name=a/b", 1, 70, "'a/b' is not a client's name"},
      {key + " services=dns name=a extra", 1, 72, "found 'extra'"},
      {key + " services=dns services=dns name=a", 1, 65, "services= stands there twice"},
      {key + " name=a name=b services=dns", 1, 59, "name= stands there twice"},
      {key + " name=a", 1, 58, "services=... is missing"},
      {key + " services=dns # name=a", 1, 73, "name=... is missing"},
      {key, 1, 51, "services=... is missing"},
      {line_of(1, "services=dns name=a") + line_of(1, "services=dns name=b"), 2, 1,
       "the key stands in line 1 already, as a"},
      {line_of(1, "services=dns name=a") + "\n" + line_of(2, "services=dns name=a"), 3, 1,
       "the name a stands there twice"},
      {std::string("\0\x1b[2J", 5), 1, 1, "found '\\x00\\x1b[2J'"},
  };
  for (const auto& c : cases) {
    const auto error = error_of(c.text);
    EXPECT_EQ(error.line, c.line) << c.text;
    EXPECT_EQ(error.column, c.column) << c.text << ": " << error.message;
    EXPECT_NE(error.message.find(c.message), std::string::npos) << error.message;
    const bool says_itself = error.message.find("= stands there twice") != std::string::npos;
    EXPECT_EQ(error.hint.empty(), says_itself) << c.text;
  }
}

TEST(AllowList, RefusesKeysThatNobodyCanHave) {
  const crypto::PublicKey zero{};
  EXPECT_NE(error_of(client_key_text(zero) + " services=dns name=a").message.find("low order"),
            std::string::npos);
  crypto::PublicKey alias = key_of(1);
  alias[31] |= 0x80;
  const auto error = error_of(client_key_text(alias) + " services=dns name=a");
  EXPECT_NE(error.message.find("2^255 - 19"), std::string::npos);
  EXPECT_EQ(error.column, 8u);
}

TEST(AllowList, IsBounded) {
  EXPECT_NE(error_of(std::string(AllowList::kMaxSize + 1, '#')).message.find("1 MiB"),
            std::string::npos);
  EXPECT_TRUE(AllowList::parse(std::string(AllowList::kMaxSize, '#')));
  std::string text;
  for (std::size_t i = 0; i < AllowList::kMaxClients; ++i)
    text += line_of(i, "services=dns name=c" + std::to_string(i));
  const auto list = AllowList::parse(text);
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->size(), AllowList::kMaxClients);
  const auto error = error_of(text + line_of(9'999, "services=dns name=more"));
  EXPECT_NE(error.message.find("more than 4096 clients"), std::string::npos);
  EXPECT_EQ(error.line, 4'097u);
}

TEST(AllowList, NamesHaveOneTo64Characters) {
  EXPECT_TRUE(is_client_name("A-z_0.9"));
  EXPECT_TRUE(is_client_name(std::string(64, 'a')));
  for (const auto& name : {std::string(), std::string(65, 'a'), std::string("a b"),
                           std::string("\xc3\xa9"), std::string("a\n"), std::string("a#")})
    EXPECT_FALSE(is_client_name(name)) << name;
}

TEST(AllowListEdit, AddingAndRemovingKeepsEveryOtherByte) {
  const auto text = "# mine\n" + line_of(1, "services=control   name=a  # first") + "\n\t# end";
  const auto added = with_client(text, key_of(2), "b", {Service::control_read, Service::dns});
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(*added, text + "\n" + line_of(2, "services=control:read,dns name=b"));
  const auto removed = without_client(*added, "b");
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, text + "\n");
  EXPECT_EQ(*without_client(*removed, "a"), "# mine\n\n\t# end\n");
  EXPECT_EQ(*with_client("", key_of(2), "b", {Service::dns}), line_of(2, "services=dns name=b"));
}

TEST(AllowListEdit, MakesNoListThatCouldNotBeRead) {
  const auto text = line_of(1, "services=control name=a");
  EXPECT_FALSE(with_client(text, key_of(1), "b", {Service::dns})) << "the key is there";
  EXPECT_FALSE(with_client(text, key_of(2), "a", {Service::dns})) << "the name is there";
  EXPECT_FALSE(with_client(text, key_of(2), "b c", {Service::dns}));
  EXPECT_FALSE(with_client(text, key_of(2), "b", {}));
  EXPECT_FALSE(with_client(text, crypto::PublicKey{}, "b", {Service::dns}));
  EXPECT_FALSE(with_client("damaged\n", key_of(2), "b", {Service::dns}));
  EXPECT_FALSE(without_client("damaged\n", "a"));
  const auto missing = without_client(text, "z");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "no client has the name 'z'");
}

TEST(ServiceSet, TextAndSetAreTheSame) {
  for (const auto* text : {"control", "control:read", "dns", "dht", "control,control:read,dns,dht"})
    EXPECT_EQ(services_text(*parse_services(text)), text);
  EXPECT_EQ(services_text(*parse_services("dht,dns,dns")), "dns,dht");
  EXPECT_TRUE(Services{Service::control_read}.controls());
  EXPECT_FALSE((Services{Service::dns, Service::dht}.controls()));
}

}  // namespace
}  // namespace boxgram::control
