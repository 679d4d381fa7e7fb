#include <gtest/gtest.h>

#include <boxgram/packet/datagram.hpp>
#include <boxgram/packet/frame.hpp>

#include "packet/request.hpp"
#include "packet/vectors.hpp"

namespace boxgram::test {
namespace {

using packet::DatagramType;
using packet::FrameReader;
using packet::FrameType;
using packet::FrameWriter;

TEST(FrameReader, GivesWhatWasWritten) {
  Buffer space(64, 0xee);
  FrameWriter writer(space);
  EXPECT_TRUE(writer.put(FrameType::ping, false, 0x01020304));
  EXPECT_TRUE(writer.put(FrameType::dns, true, 5, base::as_bytes("abc")));
  writer.finish();
  FrameReader reader(space);
  auto frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, FrameType::ping);
  EXPECT_FALSE(frame->response);
  EXPECT_EQ(frame->id, 0x01020304u);
  EXPECT_TRUE(frame->payload.empty());
  frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_TRUE(frame->response);
  EXPECT_EQ(base::as_text(frame->payload), "abc");
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.ok());
}

TEST(FrameReader, AcceptsFramesThatFillTheBox) {
  const Buffer bytes = from_hex("0100000000000009");
  FrameReader reader(bytes);
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.ok());
}

TEST(FrameReader, RejectsAPayloadThatLeavesTheBox) {
  const Buffer bytes = from_hex("1000000400000009aabbcc");
  FrameReader reader(bytes);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.ok());
}

TEST(FrameReader, RejectsACutHeader) {
  const Buffer bytes = from_hex("10000000000000");
  FrameReader reader(bytes);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.ok());
}

TEST(FrameReader, RejectsPaddingThatIsNotZero) {
  for (std::size_t i = 1; i < 16; ++i) {
    Buffer bytes(16);
    bytes[i] = 1;
    FrameReader reader(bytes);
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.ok()) << i;
  }
}

TEST(FrameReader, RejectsUndefinedFlags) {
  for (const auto flag : std::array<std::uint8_t, 3>{2, 4, 128}) {
    Buffer bytes = from_hex("0100000000000009");
    bytes[1] = flag;
    FrameReader reader(bytes);
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.ok());
  }
}

TEST(FrameReader, StaysFailed) {
  const Buffer bytes = from_hex(
      "1002000000000009"
      "0100000000000009");
  FrameReader reader(bytes);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.ok());
}

TEST(FrameWriter, WritesNothingThatDoesNotFit) {
  Buffer space(16, 0xee);
  FrameWriter writer(space);
  EXPECT_FALSE(writer.put(FrameType::dns, false, 1, Buffer(9)));
  EXPECT_EQ(writer.left(), 16u);
  EXPECT_EQ(space, Buffer(16, 0xee));
  EXPECT_TRUE(writer.put(FrameType::dns, false, 1, Buffer(8)));
  EXPECT_FALSE(writer.put(FrameType::ping, false, 1));
}

TEST(FrameWriter, LeavesAReservedPayloadAsItIs) {
  Buffer space(32, 0xee);
  FrameWriter writer(space);
  const auto place = writer.reserve(FrameType::dns, true, 1, 4);
  ASSERT_TRUE(place);
  EXPECT_EQ(Buffer(place->begin(), place->end()), Buffer(4, 0xee));
  writer.finish();
  EXPECT_EQ(Buffer(space.begin() + 12, space.end()), Buffer(20));
}

TEST(FrameSpace, HasTheCapacityThatTheFormatPromises) {
  Buffer datagram(1232);
  const auto room = [&](DatagramType type, std::size_t size) {
    return packet::frame_space(type, base::MutableBytes(datagram).first(size)).size() -
           packet::kFrameHeaderSize;
  };
  EXPECT_EQ(room(DatagramType::initial, 512), 428u);
  EXPECT_EQ(room(DatagramType::initial, 1232), 1148u);
  EXPECT_EQ(room(DatagramType::msg, 512), 452u);
  EXPECT_EQ(room(DatagramType::msg, 1232), 1172u);
  EXPECT_EQ(room(DatagramType::short_, 512), 468u);
}

packet::Request parse(DatagramType type, const std::string& hex) {
  static Buffer bytes;
  bytes = from_hex(hex);
  return packet::parse_request(type, bytes);
}

TEST(ParseRequest, TakesControlsAndOneService) {
  const auto request = parse(DatagramType::initial,
                             "0400000000000001"
                             "0100000000000002"
                             "0800000000000003"
                             "0600000000000004"
                             "1000000100000005aa");
  EXPECT_FALSE(request.malformed);
  EXPECT_TRUE(request.assoc_req);
  EXPECT_EQ(request.ping, 2u);
  EXPECT_EQ(request.time, 3u);
  EXPECT_EQ(request.keyreq, 4u);
  ASSERT_TRUE(request.service);
  EXPECT_EQ(request.service->id, 5u);
}

TEST(ParseRequest, RejectsASecondServiceOrASecondControl) {
  EXPECT_TRUE(parse(DatagramType::initial,
                    "1000000000000001"
                    "1000000000000002")
                  .malformed);
  EXPECT_TRUE(parse(DatagramType::initial,
                    "1000000000000001"
                    "1100000000000002")
                  .malformed);
  for (const char* control :
       {"0100000000000001", "0800000000000001", "0600000000000001", "0400000000000001"})
    EXPECT_TRUE(parse(DatagramType::initial, std::string(control) + control).malformed) << control;
}

TEST(ParseRequest, RejectsWhatOnlyAServerSends) {
  for (const char* frame : {"0200000000000001",
                            "0300000200000001"
                            "0001",
                            "0500000000000001", "0700000000000001", "1001000000000001",
                            "2000000000000001", "0a00000000000001", "ff00000000000001"})
    EXPECT_TRUE(parse(DatagramType::short_, frame).malformed) << frame;
}

TEST(ParseRequest, RejectsControlsWithAPayload) {
  for (const char* frame :
       {"0100000100000001aa", "0800000100000001aa", "0600000100000001aa", "0400000100000001aa"})
    EXPECT_TRUE(parse(DatagramType::initial, frame).malformed) << frame;
}

TEST(ParseRequest, TakesAssocReqAndEchoOnlyWhereTheyBelong) {
  EXPECT_TRUE(parse(DatagramType::short_, "0400000000000001").malformed);
  const std::string echo =
      "0900001000000000"
      "000102030405060708090a0b0c0d0e0f";
  EXPECT_FALSE(parse(DatagramType::initial_c, echo).malformed);
  EXPECT_TRUE(parse(DatagramType::initial, echo).malformed);
  EXPECT_TRUE(parse(DatagramType::short_, echo).malformed);
  EXPECT_TRUE(parse(DatagramType::initial_c, echo + echo).malformed);
  EXPECT_TRUE(parse(DatagramType::initial_c,
                    "0900000f00000000"
                    "000102030405060708090a0b0c0d0e")
                  .malformed);
}

}  // namespace
}  // namespace boxgram::test
