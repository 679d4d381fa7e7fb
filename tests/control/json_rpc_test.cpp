#include <gtest/gtest.h>

#include <boxgram/control/json_rpc.hpp>

namespace boxgram::control {
namespace {

BadRequest refused(std::string_view text) {
  const auto request = parse_request(text);
  EXPECT_FALSE(request) << text;
  return request ? BadRequest{} : request.error();
}

TEST(JsonRpcRequest, IsReadWithItsIdAsItCame) {
  const auto request =
      parse_request(R"({"jsonrpc":"2.0","method":"explain","params":{"name":"a"},"id":"x"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, "x");
  EXPECT_EQ(request->method, "explain");
  EXPECT_EQ(request->params, (Json{{"name", "a"}}));
  for (const auto* id : {"0", "-3", "18446744073709551615", "1.5", "null", "\"\""}) {
    const auto other =
        parse_request(R"({"jsonrpc":"2.0","method":"m","id":)" + std::string(id) + "}");
    ASSERT_TRUE(other) << id;
    EXPECT_EQ(other->id.dump(), id);
    EXPECT_EQ(other->params, Json::object());
  }
}

TEST(JsonRpcRequest, WhatIsNoneIsToldWhy) {
  const struct {
    const char* text;
    int code;
    const char* id;
  } cases[] = {
      {"", code::parse_error, "null"},
      {"{", code::parse_error, "null"},
      {"{}x", code::parse_error, "null"},
      {"\"\xff\"", code::parse_error, "null"},
      {R"({"jsonrpc":"2.0","method":"m","id":1e999})", code::parse_error, "null"},
      {"[]", code::invalid_request, "null"},
      {R"([{"jsonrpc":"2.0","method":"m","id":1}])", code::invalid_request, "null"},
      {"3", code::invalid_request, "null"},
      {R"({"jsonrpc":"2.0","method":"m"})", code::invalid_request, "null"},
      {R"({"jsonrpc":"2.0","method":"m","id":{}})", code::invalid_request, "null"},
      {R"({"jsonrpc":"2.0","method":"m","id":true})", code::invalid_request, "null"},
      {R"({"jsonrpc":"1.0","method":"m","id":7})", code::invalid_request, "7"},
      {R"({"jsonrpc":2.0,"method":"m","id":7})", code::invalid_request, "7"},
      {R"({"method":"m","id":7})", code::invalid_request, "7"},
      {R"({"jsonrpc":"2.0","id":7})", code::invalid_request, "7"},
      {R"({"jsonrpc":"2.0","method":3,"id":7})", code::invalid_request, "7"},
      {R"({"jsonrpc":"2.0","method":"m","params":[1],"id":7})", code::invalid_params, "7"},
      {R"({"jsonrpc":"2.0","method":"m","params":null,"id":7})", code::invalid_params, "7"},
  };
  for (const auto& c : cases) {
    const auto bad = refused(c.text);
    EXPECT_EQ(bad.error.code, c.code) << c.text;
    EXPECT_EQ(bad.id.dump(), c.id) << c.text;
    EXPECT_FALSE(bad.error.message.empty());
  }
}

TEST(JsonRpcRequest, SizeIdAndDepthAreBounded) {
  const auto padded = [](std::size_t size) {
    std::string text = R"({"jsonrpc":"2.0","method":"m","id":1})";
    return text + std::string(size - text.size(), ' ');
  };
  EXPECT_TRUE(parse_request(padded(kMaxMessage)));
  EXPECT_EQ(refused(padded(kMaxMessage + 1)).error.code, code::invalid_request);

  const auto with_id = [](std::size_t size) {
    return R"({"jsonrpc":"2.0","method":"m","id":")" + std::string(size, 'x') + "\"}";
  };
  EXPECT_TRUE(parse_request(with_id(128)));
  EXPECT_EQ(refused(with_id(129)).error.code, code::invalid_request);

  const auto nested = [](std::size_t depth) {
    return R"({"jsonrpc":"2.0","method":"m","id":1,"params":{"x":)" + std::string(depth - 2, '[') +
           std::string(depth - 2, ']') + "}}";
  };
  EXPECT_TRUE(parse_request(nested(kMaxDepth)));
  EXPECT_EQ(refused(nested(kMaxDepth + 1)).error.code, code::parse_error);
  EXPECT_EQ(refused(std::string(40'000, '[')).error.code, code::parse_error);
  EXPECT_TRUE(parse_request(R"({"jsonrpc":"2.0","method":"m","id":"\"[[[[[[[[[[[[[[[[[[[["})"))
      << "brackets in a string are no depth";
}

TEST(JsonRpcResponse, HasTheResultOrTheErrorAndTheId) {
  EXPECT_EQ(Json::parse(response_text("x", Json{{"a", 1}})),
            Json::parse(R"({"jsonrpc":"2.0","id":"x","result":{"a":1}})"));
  EXPECT_EQ(
      Json::parse(response_text(nullptr, rpc_error(code::busy, "later"))),
      Json::parse(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32004,"message":"later"}})"));
}

TEST(JsonRpcResponse, IsAlwaysUtf8AndNeverTooLong) {
  EXPECT_TRUE(Json::accept(response_text(1, Json("\xff\xfe"))));
  const auto text = response_text(1, Json(std::string(kMaxMessage, 'x')));
  EXPECT_LE(text.size(), kMaxMessage);
  EXPECT_EQ(parse_response(text, 1).error().code, code::internal_error);
}

TEST(JsonRpcResponse, ComesBackToTheClient) {
  EXPECT_EQ(*parse_response(response_text(5, Json{{"a", 1}}), 5), (Json{{"a", 1}}));
  const auto error = parse_response(response_text(5, rpc_error(code::not_found, "no such")), 5);
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, code::not_found);
  EXPECT_EQ(error.error().message, "no such");
}

TEST(JsonRpcResponse, WhatIsNoneToOurRequestIsAnError) {
  for (const auto* text :
       {"", "[]", "{}", R"({"jsonrpc":"2.0","id":5})", R"({"jsonrpc":"2.0","id":6,"result":1})",
        R"({"jsonrpc":"2.0","id":"5","result":1})", R"({"id":5,"result":1})",
        R"({"jsonrpc":"2.0","id":5,"error":3})", R"({"jsonrpc":"2.0","id":5,"error":{"code":1}})",
        R"({"jsonrpc":"2.0","id":5,"error":{"code":"1","message":"m"}})"}) {
    const auto result = parse_response(text, 5);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, code::internal_error);
  }
}

TEST(JsonRpcRequest, OfTheClientIsReadByTheServer) {
  const auto request = parse_request(request_text(9, "log", {{"level", "debug"}}));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, 9);
  EXPECT_EQ(request->params, (Json{{"level", "debug"}}));
  EXPECT_EQ(parse_request(request_text(9, "status", Json::object()))->params, Json::object());
}

}  // namespace
}  // namespace boxgram::control
