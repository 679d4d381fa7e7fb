#include <gtest/gtest.h>

#include <boxgram/dns/name.hpp>

#include "dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::dns {
namespace {

using namespace boxgram::test;

Name name(std::string_view text) {
  return Name::from_text(text).value();
}

NameError read_error(const Octets& message, std::size_t offset) {
  const std::size_t before = offset;
  const auto result = Name::read(message, offset);
  EXPECT_EQ(offset, before);
  EXPECT_FALSE(result);
  return result ? NameError{} : result.error();
}

TEST(NameText, RoundTripsOrdinaryNames) {
  EXPECT_EQ(name("www.example.com").to_text(), "www.example.com.");
  EXPECT_EQ(name("www.example.com."), name("www.example.com"));
  EXPECT_EQ(name(".").to_text(), ".");
  EXPECT_TRUE(name(".").is_root());
  EXPECT_EQ(name("www.example.com").label_count(), 3u);
}

TEST(NameText, RoundTripsEveryOctet) {  // RFC 2181, section 11
  for (int c = 0; c < 256; ++c) {
    const Octets wire = {3, 'a', static_cast<std::uint8_t>(c), 'b', 0};
    const auto parsed = Name::from_wire(wire);
    ASSERT_TRUE(parsed);
    const auto again = Name::from_text(parsed->to_text());
    ASSERT_TRUE(again) << parsed->to_text();
    EXPECT_TRUE(std::ranges::equal(again->wire(), wire)) << c;
  }
}

TEST(NameText, ReadsEscapes) {
  EXPECT_EQ(name("a\\.b.c").label_count(), 2u);
  EXPECT_EQ(name("\\097.c"), name("a.c"));
  EXPECT_EQ(name("\\x.c"), name("x.c"));
  EXPECT_EQ(name("a\\.b").to_text(), "a\\.b.");
  EXPECT_EQ(name("\\000").to_text(), "\\000.");
}

TEST(NameText, RejectsWhatIsNoName) {
  EXPECT_EQ(Name::from_text("").error(), NameError::empty_label);
  EXPECT_EQ(Name::from_text(".a").error(), NameError::empty_label);
  EXPECT_EQ(Name::from_text("a..b").error(), NameError::empty_label);
  EXPECT_EQ(Name::from_text("a..").error(), NameError::empty_label);
  EXPECT_EQ(Name::from_text("a\\").error(), NameError::bad_escape);
  EXPECT_EQ(Name::from_text("\\256").error(), NameError::bad_escape);
  EXPECT_EQ(Name::from_text("\\25").error(), NameError::bad_escape);
  EXPECT_EQ(Name::from_text("\\2x5").error(), NameError::bad_escape);
  EXPECT_EQ(Name::from_text(std::string(64, 'a')).error(), NameError::label_too_long);
  EXPECT_TRUE(Name::from_text(std::string(63, 'a')));
}

TEST(NameText, HoldsNamesOfUpTo255Bytes) {
  const std::string label63 = std::string(63, 'a') + ".";
  const std::string three = label63 + label63 + label63;  // 192 bytes of wire form
  const auto longest = Name::from_text(three + std::string(61, 'b'));
  ASSERT_TRUE(longest);
  EXPECT_EQ(longest->size(), 255u);
  EXPECT_EQ(Name::from_text(three + std::string(61, 'b') + ".")->size(), 255u);
  EXPECT_EQ(Name::from_text(three + std::string(62, 'b')).error(), NameError::too_long);
  EXPECT_EQ(Name::from_text(three + std::string(61, 'b') + ".c").error(), NameError::too_long);
  std::string many;
  for (int i = 0; i < 127; ++i) many += "a.";
  EXPECT_EQ(name(many).label_count(), 127u);
  EXPECT_FALSE(Name::from_text(many + "a"));
}

TEST(ReadName, FollowsPointersBackwards) {
  const Octets message = header(0, 0, 0, 0, 0, 0) + labels("example.com") +
                         Octets{3, 'w', 'w', 'w'} + pointer(12) + pointer(25) + Octets{9};
  std::size_t at = 25;
  EXPECT_EQ(Name::read(message, at)->to_text(), "www.example.com.");
  EXPECT_EQ(at, 31u);
  EXPECT_EQ(Name::read(message, at)->to_text(), "www.example.com.");
  EXPECT_EQ(at, 33u);
}

TEST(ReadName, RejectsForwardPointer) {
  const Octets message = header(0, 0, 0, 0, 0, 0) + pointer(14) + labels("a");
  EXPECT_EQ(read_error(message, 12), NameError::bad_pointer);
}

TEST(ReadName, RejectsPointerToItself) {
  EXPECT_EQ(read_error(header(0, 0, 0, 0, 0, 0) + pointer(12), 12), NameError::bad_pointer);
}

TEST(ReadName, RejectsPointerIntoItsOwnLabels) {
  const Octets message = header(0, 0, 0, 0, 0, 0) + Octets{1, 'a', 1, 'b'} + pointer(14);
  EXPECT_EQ(read_error(message, 12), NameError::bad_pointer);
}

TEST(ReadName, RejectsPointerIntoTheHeader) {
  EXPECT_EQ(read_error(header(0, 0, 0, 0, 0, 0) + pointer(4), 12), NameError::bad_pointer);
}

TEST(ReadName, RejectsPointerLoop) {
  const Octets message = header(0, 0, 0, 0, 0, 0) + pointer(14) + pointer(12);
  EXPECT_EQ(read_error(message, 14), NameError::bad_pointer);
}

TEST(ReadName, FollowsAPointerForEachLabelAndNoMore) {
  Octets message = header(0, 0, 0, 0, 0, 0) + Octets{0};
  unsigned last = 12;
  for (int i = 0; i < 127; ++i) {
    const auto at = static_cast<unsigned>(message.size());
    message = message + Octets{1, 'a'} + pointer(last);
    last = at;
  }
  std::size_t offset = last;
  EXPECT_EQ(Name::read(message, offset)->label_count(), 127u);

  message = header(0, 0, 0, 0, 0, 0) + Octets{0};
  for (unsigned i = 0; i < 128; ++i) message = message + pointer(i == 0 ? 12 : 11 + 2 * i);
  EXPECT_EQ(read_error(message, message.size() - 2), NameError::bad_pointer);
  message.resize(message.size() - 2);
  offset = message.size() - 2;
  EXPECT_TRUE(Name::read(message, offset)->is_root());
}

TEST(ReadName, RejectsUnknownLabelTypes) {
  EXPECT_EQ(read_error(header(0, 0, 0, 0, 0, 0) + Octets{0x40, 0}, 12), NameError::bad_label_type);
  EXPECT_EQ(read_error(header(0, 0, 0, 0, 0, 0) + Octets{0x80, 0}, 12), NameError::bad_label_type);
}

TEST(ReadName, RejectsWhatIsCutShort) {
  const Octets whole = header(0, 0, 0, 0, 0, 0) + labels("www.example") + pointer(12);
  for (std::size_t size = 12; size < 25; ++size)
    EXPECT_EQ(
        read_error(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), 12),
        NameError::truncated);
  EXPECT_EQ(read_error(Octets(whole.begin(), whole.begin() + 26), 25), NameError::truncated);
}

TEST(ReadName, RejectsMoreThan255BytesBehindPointers) {
  Octets message = header(0, 0, 0, 0, 0, 0) + labels(std::string(63, 'a'));
  std::size_t last = 12;
  for (int i = 0; i < 3; ++i) {
    const std::size_t here = message.size();
    message = message + Octets{62} + Octets(62, 'b') + pointer(static_cast<unsigned>(last));
    last = here;
  }
  std::size_t at = last;
  EXPECT_TRUE(Name::read(message, at));  // 64 + 3 * 63 + 1 = 254
  const Octets two_more = message + Octets{1, 'c'} + pointer(static_cast<unsigned>(last));
  EXPECT_EQ(read_error(two_more, message.size()), NameError::too_long);
}

TEST(NameFromWire, TakesExactlyOneName) {
  EXPECT_EQ(Name::from_wire(labels("a.b"))->to_text(), "a.b.");
  EXPECT_EQ(Name::from_wire(labels("a.b") + Octets{0}).error(), NameError::truncated);
  EXPECT_EQ(Name::from_wire(Octets{}).error(), NameError::truncated);
  EXPECT_EQ(Name::from_wire(Octets{1, 'a'}).error(), NameError::truncated);
  EXPECT_EQ(Name::from_wire(pointer(0)).error(), NameError::bad_label_type);
  EXPECT_EQ(Name::from_wire(Octets(300, 1)).error(), NameError::too_long);
}

TEST(Name, ComparesWithoutCaseAndKeepsIt) {
  SCOPED_TRACE("RFC 4343");
  EXPECT_EQ(name("WWW.Example.COM"), name("www.example.com"));
  EXPECT_NE(name("www.example.com"), name("www.example.con"));
  EXPECT_EQ(name("WWW.Example.COM").to_text(), "WWW.Example.COM.");
  EXPECT_EQ(name("WWW.Example.COM").lowered().to_text(), "www.example.com.");
  SeededRng rng(1);
  const crypto::ShortHashKey key(rng);
  EXPECT_EQ(name("WWW.Example.COM").hash(key), name("www.example.com").hash(key));
  EXPECT_NE(name("www.example.com").hash(key), name("www.example.net").hash(key));
}

TEST(Name, LowersOnlyAsciiLetters) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (int c = 0; c < 256; ++c) {
      const Octets from(size, static_cast<std::uint8_t>(c));
      Octets to(size);
      lower_into(from, to);
      const int wanted = c >= 'A' && c <= 'Z' ? c + 32 : c;
      EXPECT_EQ(to, Octets(size, static_cast<std::uint8_t>(wanted))) << c;
    }
  }
}

TEST(Name, EqualNamesSeesADifferenceAtEveryPlace) {
  for (std::size_t size = 1; size < 40; ++size) {
    const Octets a(size, 'Q');
    for (std::size_t i = 0; i < size; ++i) {
      Octets b(size, 'q');
      EXPECT_TRUE(equal_names(a, b));
      b[i] = 'p';
      EXPECT_FALSE(equal_names(a, b)) << size << " " << i;
    }
  }
}

TEST(Name, KnowsParentsAndSubdomains) {
  EXPECT_EQ(name("www.example.com").parent(), name("example.com"));
  EXPECT_EQ(name("com").parent(), name("."));
  EXPECT_EQ(name(".").parent(), name("."));
  EXPECT_TRUE(name("www.Example.com").is_subdomain_of(name("example.COM")));
  EXPECT_TRUE(name("example.com").is_subdomain_of(name("example.com")));
  EXPECT_TRUE(name("example.com").is_subdomain_of(name(".")));
  EXPECT_FALSE(name("badexample.com").is_subdomain_of(name("example.com")));
  EXPECT_FALSE(name("com").is_subdomain_of(name("example.com")));
  // A label that holds the bytes of another name is not below that name.
  EXPECT_FALSE(
      Name::from_wire(Octets{6, 'x', 'y', 3, 'c', 'o', 'm', 0})->is_subdomain_of(name("com")));
}

TEST(Name, OrdersWithoutCase) {
  EXPECT_TRUE((name("A.b") <=> name("a.B")) == 0);
  EXPECT_TRUE(name("a") < name("b"));
  EXPECT_TRUE(name("B") > name("a"));
}

TEST(UncompressedNameSize, AgreesWithFromWire) {
  SeededRng rng(5);
  for (int round = 0; round < 20'000; ++round) {
    Octets bytes(1 + rng.below(30));
    for (auto& b : bytes)
      b = static_cast<std::uint8_t>(rng.below(8) == 0 ? rng.u16() : rng.below(6));
    const std::size_t size = uncompressed_name_size(bytes);
    if (size == 0) {
      for (std::size_t n = 1; n <= bytes.size(); ++n)
        ASSERT_FALSE(Name::from_wire(base::Bytes(bytes).first(n)));
    } else {
      ASSERT_TRUE(Name::from_wire(base::Bytes(bytes).first(size)));
    }
  }
}

}  // namespace
}  // namespace boxgram::dns
