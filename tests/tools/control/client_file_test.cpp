#include "boxgram/control/client_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/seeded_rng.hpp"

namespace boxgram::tools {
namespace {

using control::Service;

class ClientFileTest : public ::testing::Test {
 protected:
  ClientFileTest() {
    folder = ::testing::TempDir() + "boxgram-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    file.emplace(folder + "/clients");
  }
  ~ClientFileTest() override { std::filesystem::remove_all(folder); }

  [[nodiscard]] std::string text() const {
    std::ifstream in(file->path());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  crypto::PublicKey key() { return crypto::generate_key_pair(rng).public_key; }

  test::SeededRng rng{1};
  std::string folder;
  std::optional<ClientFile> file;
};

TEST_F(ClientFileTest, AMissingFileIsAnEmptyList) {
  ASSERT_TRUE(file->reload());
  EXPECT_EQ(file->list()->size(), 0u);
}

TEST_F(ClientFileTest, EditsKeepCommentsAndReachTheListAtOnce) {
  std::ofstream(file->path()) << "# who may come\n";
  const auto mine = key();
  ASSERT_TRUE(file->add(mine, "laptop", {Service::control}));
  ASSERT_NE(file->list()->find(mine), nullptr);
  EXPECT_EQ(text(), "# who may come\n" + control::client_key_text(mine) +
                        " services=control name=laptop\n");
  ASSERT_TRUE(file->remove("laptop"));
  EXPECT_EQ(file->list()->find(mine), nullptr);
  EXPECT_EQ(text(), "# who may come\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1)
      << "no temporary file is left";
}

TEST_F(ClientFileTest, AnEditSeesWhatOthersHaveWritten) {
  ClientFile other(file->path());
  ASSERT_TRUE(other.add(key(), "theirs", {Service::dns}));
  ASSERT_TRUE(file->add(key(), "ours", {Service::dns}));
  EXPECT_EQ(file->list()->size(), 2u);
  EXPECT_EQ(other.list()->size(), 1u) << "until it reads again";
  ASSERT_TRUE(other.reload());
  EXPECT_EQ(other.list()->size(), 2u);
}

TEST_F(ClientFileTest, AnErrorNamesThePlaceAndChangesNothing) {
  ASSERT_TRUE(file->add(key(), "laptop", {Service::control}));
  const auto before = text();
  std::ofstream(file->path(), std::ios::app) << "damaged\n";
  const auto read = file->reload();
  ASSERT_FALSE(read);
  EXPECT_EQ(config::to_string(read.error()).find(file->path() + ":2:1: "), 0u);
  EXPECT_EQ(file->list()->size(), 1u) << "the list before";
  EXPECT_FALSE(file->add(key(), "other", {Service::dns}));
  EXPECT_FALSE(file->remove("laptop"));
  EXPECT_EQ(text(), before + "damaged\n");
}

TEST_F(ClientFileTest, AFileThatOthersCanWriteIsRefused) {
  ASSERT_TRUE(file->add(key(), "laptop", {Service::control}));
  ASSERT_EQ(chmod(file->path().c_str(), 0664), 0);
  const auto read = file->reload();
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().hint.find("chmod go-w"), std::string::npos);
}

TEST_F(ClientFileTest, AFileThatOthersCouldReplaceIsRefused) {
  ASSERT_TRUE(file->add(key(), "laptop", {Service::control}));
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  const auto read = file->reload();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().hint, "run: chmod go-w " + folder);
  EXPECT_FALSE(file->add(key(), "other", {Service::control}));
  ASSERT_EQ(chmod(folder.c_str(), 01777), 0);
  EXPECT_TRUE(file->reload()) << "there only its owner can replace it";
}

TEST_F(ClientFileTest, AFileOfAStrangerIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_TRUE(file->add(key(), "laptop", {Service::control}));
  ASSERT_EQ(chown(file->path().c_str(), 12345, 12345), 0);
  const auto read = file->reload();
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("belongs to user 12345"), std::string::npos);
  ASSERT_EQ(chown(folder.c_str(), 12345, 12345), 0);
  EXPECT_TRUE(file->reload()) << "whoever owns the folder could replace it anyway";
}

TEST_F(ClientFileTest, TwoEditsAtOnceDoNotLoseOne) {
  const int lock = open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  const auto refused = file->add(key(), "laptop", {Service::control});
  ASSERT_FALSE(refused) << "and nobody waits for a lock that may never be given back";
  EXPECT_NE(refused.error().hint.find("try again"), std::string::npos);
  close(lock);
  EXPECT_TRUE(file->add(key(), "laptop", {Service::control}));
}

TEST_F(ClientFileTest, AFolderThatIsMissingIsSaid) {
  ClientFile nowhere(folder + "/none/clients");
  ASSERT_TRUE(nowhere.reload());
  const auto refused = nowhere.add(key(), "laptop", {Service::control});
  ASSERT_FALSE(refused);
  EXPECT_NE(config::to_string(refused.error()).find(folder + "/none"), std::string::npos);
}

}  // namespace
}  // namespace boxgram::tools
