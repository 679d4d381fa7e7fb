#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boxgram/control/methods.hpp>

namespace boxgram::control {
namespace {

const Method& method_of(std::string_view name) {
  const Method* method = find_method(name);
  EXPECT_NE(method, nullptr) << name;
  return method != nullptr ? *method : methods().front();
}

std::string wrong(std::string_view name, const Json& params) {
  const auto error = check_params(method_of(name), params);
  EXPECT_EQ(error.value_or(RpcError{code::invalid_params, {}}).code, code::invalid_params);
  return error ? error->message : "";
}

TEST(Methods, AreInTheOrderOfTheirIdsAndNamedOnce) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < methods().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(methods()[i].id), i);
    EXPECT_TRUE(names.insert(methods()[i].name).second);
    EXPECT_FALSE(methods()[i].help.empty());
    EXPECT_FALSE(methods()[i].example.empty());
  }
  EXPECT_EQ(static_cast<std::size_t>(MethodId::shutdown) + 1, methods().size());
  EXPECT_EQ(find_method("cache"), nullptr);
  EXPECT_EQ(find_method(""), nullptr);
}

// Whoever adds a method must say here which keys may call it.
TEST(Methods, ThatChangeNothingAreExactlyThese) {
  std::set<std::string_view> reading;
  for (const Method& method : methods())
    if (!method.changes) reading.insert(method.name);
  EXPECT_EQ(reading, (std::set<std::string_view>{"status", "stats", "upstreams", "cache.stats",
                                                 "cache.show", "cache.dump", "explain", "keys.list",
                                                 "clients.list", "sessions.list"}));
}

TEST(Methods, RequiredParametersStandBeforeOptionalWords) {
  for (const Method& method : methods()) {
    bool optional = false;
    for (const Parameter& parameter : method.parameters) {
      if (parameter.place != Parameter::Place::word) continue;
      EXPECT_FALSE(optional && parameter.required) << method.name;
      optional |= !parameter.required;
    }
  }
}

TEST(MethodParameters, AreCheckedByTheTable) {
  EXPECT_EQ(wrong("status", Json::object()), "");
  EXPECT_EQ(wrong("explain", {{"name", "a"}, {"type", "AAAA"}}), "");
  EXPECT_EQ(wrong("explain", {{"type", "AAAA"}}),
            "explain needs the parameter 'name': a domain name");
  EXPECT_EQ(wrong("explain", {{"nam", "a"}}),
            "explain has no parameter 'nam'; its parameters: name, type");
  EXPECT_EQ(wrong("status", {{"x", 1}}), "status has no parameter 'x'; its parameters: none");
  EXPECT_EQ(wrong("explain", {{"name", 3}}),
            "parameter 'name' of explain must be a string of at most 1024 bytes");
  EXPECT_NE(wrong("explain", {{"name", std::string(1'025, 'a')}}), "");
  EXPECT_EQ(wrong("cache.flush", {{"all", true}}), "");
  EXPECT_NE(wrong("cache.flush", {{"all", "yes"}}), "");
  EXPECT_EQ(wrong("sessions.kill", {{"id", 3}}), "");
  for (const Json& id : {Json(-1), Json(1.5), Json("3"), Json(nullptr)})
    EXPECT_NE(wrong("sessions.kill", {{"id", id}}), "") << id;
  EXPECT_EQ(wrong("cache.load", {{"lines", {"a", "b"}}}), "");
  EXPECT_EQ(wrong("cache.load", {{"lines", Json::array()}}), "");
  EXPECT_NE(wrong("cache.load", {{"lines", "a"}}), "");
  EXPECT_NE(wrong("cache.load", {{"lines", {"a", 3}}}), "");
}

TEST(MethodParameters, OfStrangersDoNotReachATerminalRaw) {
  const auto message = wrong("status", {{"\x1b[2J" + std::string(5'000, 'x'), 1}});
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_LT(message.size(), 200u);
}

TEST(ControlDocumentation, DescribesEveryMethodWithEveryParameter) {
  std::ifstream file(std::string(TEST_DOCS) + "/control.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(text.empty());
  for (const Method& method : methods()) {
    const auto begin = text.find(fmt::format("### `{}`", method.name));
    ASSERT_NE(begin, std::string::npos) << method.name;
    const auto section = text.substr(begin, text.find("\n##", begin + 1) - begin);
    for (const Parameter& parameter : method.parameters)
      EXPECT_NE(section.find(fmt::format("`{}`", parameter.name)), std::string::npos)
          << method.name << " " << parameter.name;
    EXPECT_NE(section.find(method.changes ? "Changes something." : "Only reads."),
              std::string::npos)
        << method.name;
    EXPECT_EQ(section.find("Gateways only.") != std::string::npos,
              method.served == Served::by_gateway)
        << method.name;
  }
}

}  // namespace
}  // namespace boxgram::control
