#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boxgram/net/state_file.hpp>

namespace boxgram::net {
namespace {

using Kind = StateFileError::Kind;

class StateFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "boxgram-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path(const char* name = "file") const {
    return directory_ + "/" + name;
  }
  [[nodiscard]] mode_t mode() const {
    struct stat info {};
    EXPECT_EQ(stat(path().c_str(), &info), 0);
    return info.st_mode & 07777;
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory_),
                                                  std::filesystem::directory_iterator()));
  }
  base::expected<std::string, StateFileError> read(Secrecy secrecy) {
    const auto size = read_state_file(path(), room_, secrecy);
    if (!size) return base::unexpected<StateFileError>(size.error());
    return std::string(room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(*size));
  }

  std::string directory_;
  std::array<std::uint8_t, 8> room_{};
};

TEST_F(StateFileTest, ASecretIsWrittenForItsOwnerOnlyAndReadBack) {
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("12345678"), Secrecy::secret, Replace::no));
  EXPECT_EQ(mode(), 0600u);
  EXPECT_EQ(read(Secrecy::secret).value_or("?"), "12345678");
  EXPECT_EQ(files(), 1u);
}

TEST_F(StateFileTest, AnOpenFileMayBeReadByAll) {
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("1"), Secrecy::open, Replace::no));
  EXPECT_EQ(mode(), 0644u);
  EXPECT_EQ(read(Secrecy::open).value_or("?"), "1");
}

TEST_F(StateFileTest, ReplacesOnlyWhenAsked) {
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("old"), Secrecy::secret, Replace::no));
  const auto second = write_state_file(path(), base::as_bytes("new"), Secrecy::secret, Replace::no);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, Kind::exists);
  EXPECT_EQ(read(Secrecy::secret).value_or("?"), "old");
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("new"), Secrecy::secret, Replace::yes));
  EXPECT_EQ(read(Secrecy::secret).value_or("?"), "new");
  EXPECT_EQ(files(), 1u);
}

TEST_F(StateFileTest, ASecretThatOthersMayReadIsRefusedWithTheCure) {
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("key"), Secrecy::secret, Replace::no));
  ASSERT_EQ(chmod(path().c_str(), 0640), 0);
  const auto result = read(Secrecy::secret);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::exposed);
  EXPECT_NE(result.error().message.find("chmod 600 " + path()), std::string::npos);
  EXPECT_NE(result.error().message.find("0640"), std::string::npos) << result.error().message;
  EXPECT_EQ(read(Secrecy::open).value_or("?"), "key");
}

TEST_F(StateFileTest, ASecretOfSomebodyElseIsRefused) {
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("key"), Secrecy::secret, Replace::no));
  if (chown(path().c_str(), 65534, 65534) != 0) GTEST_SKIP() << "only root can give a file away";
  const auto result = read(Secrecy::secret);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::exposed);
}

TEST_F(StateFileTest, WhatDoesNotFitOrIsMissingOrIsNoFileIsAnError) {
  EXPECT_EQ(read(Secrecy::open).error().kind, Kind::missing);
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("123456789"), Secrecy::open, Replace::no));
  EXPECT_EQ(read(Secrecy::open).error().kind, Kind::too_large);
  EXPECT_EQ(read_state_file(directory_, room_, Secrecy::open).error().kind, Kind::system);
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_state_file(path("fifo"), room_, Secrecy::secret).error().kind, Kind::system);
}

TEST_F(StateFileTest, AMissingDirectoryIsAnErrorThatNamesIt) {
  const auto result =
      write_state_file(path("no/file"), base::as_bytes("x"), Secrecy::open, Replace::yes);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find(path("no/file")), std::string::npos);
}

TEST_F(StateFileTest, AFailedWriteLeavesTheOldFileAndNoOther) {
  ASSERT_TRUE(write_state_file(path(), base::as_bytes("old"), Secrecy::secret, Replace::no));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit tiny = before;
  tiny.rlim_cur = 2;  // what a full disk does, in a way a test can arrange
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tiny), 0);
  const auto result =
      write_state_file(path(), base::as_bytes("longer"), Secrecy::secret, Replace::yes);
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::system);
  EXPECT_EQ(read(Secrecy::secret).value_or("?"), "old");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace boxgram::net
