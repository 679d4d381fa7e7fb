#include "boxgram/key_file.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "boxgram/state_dir.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::tools {
namespace {

/// A folder of its own for each test, gone afterwards.
class Folder : public ::testing::Test {
 protected:
  Folder() {
    std::string name = ::testing::TempDir() + "boxgram-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Folder() override { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

  std::string path_;
};

using KeyFile = Folder;
using StateDirectory = Folder;

crypto::Secret<32> secret_of(std::uint8_t byte) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(byte);
  return crypto::Secret<32>(bytes);
}

TEST_F(KeyFile, RoundTripKeepsTheSecretAndItsMode) {
  ASSERT_TRUE(write_secret(file("k"), kClientSecret, secret_of(7), false).has_value());
  struct stat info {};
  ASSERT_EQ(stat(file("k").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const auto read = read_secret(file("k"), kClientSecret);
  ASSERT_TRUE(read.has_value() && read->has_value());
  EXPECT_TRUE(crypto::equal_constant_time((*read)->bytes(), secret_of(7).bytes()));
}

TEST_F(KeyFile, IsNeverOverwrittenUnlessAsked) {
  ASSERT_TRUE(write_secret(file("k"), kClientSecret, secret_of(1), false).has_value());
  EXPECT_FALSE(write_secret(file("k"), kClientSecret, secret_of(2), false).has_value());
  EXPECT_TRUE(crypto::equal_constant_time((*read_secret(file("k"), kClientSecret))->bytes(),
                                          secret_of(1).bytes()));
  EXPECT_TRUE(write_secret(file("k"), kClientSecret, secret_of(2), true).has_value());
  EXPECT_TRUE(crypto::equal_constant_time((*read_secret(file("k"), kClientSecret))->bytes(),
                                          secret_of(2).bytes()));
}

TEST_F(KeyFile, OneKindIsNotTakenForAnother) {
  ASSERT_TRUE(write_secret(file("k"), kClientSecret, secret_of(1), false).has_value());
  const auto read = read_secret(file("k"), kIdentitySecret);
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().find("boxgram-identity-secret"), std::string::npos);
}

TEST_F(KeyFile, ReadableByOthersIsRefused) {
  ASSERT_TRUE(write_secret(file("k"), kClientSecret, secret_of(1), false).has_value());
  ASSERT_EQ(chmod(file("k").c_str(), 0644), 0);
  EXPECT_FALSE(read_secret(file("k"), kClientSecret).has_value());
}

TEST_F(KeyFile, DamageIsAnError) {
  for (const auto* text : {"", "boxgram-client-secret:", "boxgram-client-secret:AAAA\n",
                           "boxgram-client-secret:!!!!\n", "boxgram-client-secret"}) {
    std::ofstream(file("k")) << text;
    ASSERT_EQ(chmod(file("k").c_str(), 0600), 0);
    EXPECT_FALSE(read_secret(file("k"), kClientSecret).has_value()) << text;
  }
}

TEST_F(KeyFile, MissingIsNoError) {
  const auto read = read_secret(file("none"), kClientSecret);
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->has_value());
}

TEST_F(StateDirectory, KeysAreMadeOnceAndKept) {
  test::SeededRng rng(1);
  const auto dir = StateDir::open_or_create(file("state"));
  ASSERT_TRUE(dir.has_value()) << dir.error();
  EXPECT_FALSE(dir->has_identity());
  const auto first = dir->identity(rng);
  ASSERT_TRUE(first.has_value()) << first.error();
  EXPECT_TRUE(dir->has_identity());
  EXPECT_FALSE(dir->has_pinned());
  const auto again = dir->identity(rng);
  EXPECT_TRUE(crypto::equal_constant_time(first->bytes(), again->bytes()));
  const auto reset = dir->reset_key(rng);
  ASSERT_TRUE(reset.has_value());
  EXPECT_FALSE(crypto::equal_constant_time(first->bytes(), reset->bytes()));
}

TEST_F(StateDirectory, SerialIsKept) {
  const auto dir = StateDir::open_or_create(file("a/b/state"));
  ASSERT_TRUE(dir.has_value()) << dir.error();
  EXPECT_EQ(dir->serial().value(), 0u);
  ASSERT_TRUE(dir->store_serial(4'294'967'295u).has_value());
  EXPECT_EQ(dir->serial().value(), 4'294'967'295u);
  std::ofstream(file("a/b/state/serial")) << "12x\n";
  EXPECT_FALSE(dir->serial().has_value());
}

TEST_F(StateDirectory, IsOneGatewaysOnly) {
  auto first = StateDir::open_or_create(file("state"));
  auto second = StateDir::open_or_create(file("state"));
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->claim());
  const auto refused = second->claim();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find(file("state")), std::string::npos) << refused.error();
  first = base::unexpected<std::string>("gone");
  EXPECT_TRUE(second->claim());
}

TEST_F(StateDirectory, PlacesThatCannotHoldItAreNamed) {
  std::ofstream(file("plain")) << "x";
  for (const auto& path : {file("plain"), file("plain/below"), std::string("/proc/boxgram")}) {
    const auto dir = StateDir::open_or_create(path);
    ASSERT_FALSE(dir.has_value()) << path;
    EXPECT_NE(dir.error().find(path), std::string::npos);
  }
  EXPECT_FALSE(StateDir::open(file("missing")).has_value());
}

TEST_F(StateDirectory, WritableByOthersIsRefused) {
  ASSERT_TRUE(StateDir::open_or_create(file("state")).has_value());
  ASSERT_EQ(chmod(file("state").c_str(), 0777), 0);
  const auto dir = StateDir::open_or_create(file("state"));
  ASSERT_FALSE(dir.has_value());
  EXPECT_NE(dir.error().find("chmod go-w"), std::string::npos);
}

}  // namespace
}  // namespace boxgram::tools
