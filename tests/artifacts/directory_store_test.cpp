#include "drover/artifacts/directory_store.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drover/base/limits.hpp"

namespace drover::artifacts {
namespace {

namespace fs = std::filesystem;

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

class DirectoryStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "drover-artifacts-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    root_ = base_ + "/store";
    auto opened = DirectoryStore::open(root_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void TearDown() override { fs::remove_all(base_); }

  std::string spool(const std::string& text) {
    const std::string path = store_->spool_directory() + "/body" + std::to_string(++spooled_);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::size_t spooled_files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(store_->spool_directory())) ++count;
    return count;
  }

  std::string base_, root_;
  std::unique_ptr<DirectoryStore> store_;
  int spooled_ = 0;
};

const Uuid kDeployment = *parse_uuid("0190d6f0-0000-7000-8000-000000000001");
const Uuid kOther = *parse_uuid("0190d6f0-0000-7000-8000-000000000002");

TEST_F(DirectoryStoreTest, KeepsAnArtifactAndItsHash) {
  const std::string bytes("a\0b\xff\n", 5);
  const std::string body = spool(bytes);
  auto hash = store_->put(JobNumber{7}, 1, "out put.bin", body);
  ASSERT_TRUE(hash.ok()) << hash.error().message;
  EXPECT_EQ(*hash, sha256(bytes));
  EXPECT_FALSE(fs::exists(body));
  auto file = store_->get(JobNumber{7}, 1, "out put.bin");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->size, 5);
  EXPECT_EQ(slurp(file->path), bytes);
}

TEST_F(DirectoryStoreTest, ReplacesAnArtifactOfTheSameNameAndKeepsAttemptsApart) {
  ASSERT_TRUE(store_->put(JobNumber{7}, 1, "x", spool("first")).ok());
  ASSERT_TRUE(store_->put(JobNumber{7}, 2, "x", spool("second attempt")).ok());
  ASSERT_TRUE(store_->put(JobNumber{7}, 1, "x", spool("again")).ok());
  EXPECT_EQ(slurp(store_->get(JobNumber{7}, 1, "x")->path), "again");
  EXPECT_EQ(slurp(store_->get(JobNumber{7}, 2, "x")->path), "second attempt");
}

TEST_F(DirectoryStoreTest, AnswersNotFoundForWhatIsNotThere) {
  EXPECT_EQ(store_->get(JobNumber{7}, 1, "x").error().code, Errc::not_found);
  ASSERT_TRUE(store_->put(JobNumber{7}, 1, "x", spool("1")).ok());
  EXPECT_EQ(store_->get(JobNumber{7}, 1, "y").error().code, Errc::not_found);
  EXPECT_EQ(store_->get(JobNumber{8}, 1, "x").error().code, Errc::not_found);
  EXPECT_EQ(store_->log(JobNumber{7}, 1, "stdout").error().code, Errc::not_found);
}

TEST_F(DirectoryStoreTest, SpreadsJobsOverDirectories) {
  ASSERT_TRUE(store_->put(JobNumber{12'345'678}, 3, "x", spool("1")).ok());
  EXPECT_TRUE(fs::exists(root_ + "/jobs/12/12345/12345678/3.artifacts/x"));
}

TEST_F(DirectoryStoreTest, RefusesNamesThatLeadElsewhere) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/"), std::string("/a"),
        std::string("a//b"), std::string("a/./b"), std::string("a/.."), std::string("../x"),
        std::string("a\nb"), std::string("a\0b", 3), std::string("\x7f"), std::string("\xff"),
        std::string(257, 'x')}) {
    EXPECT_EQ(store_->put(JobNumber{1}, 1, name, spool("1")).error().code, Errc::invalid) << name;
    EXPECT_EQ(store_->get(JobNumber{1}, 1, name).error().code, Errc::invalid) << name;
    EXPECT_EQ(store_->append_log(JobNumber{1}, 1, name, 0, "1").error().code, Errc::invalid) << name;
  }
  EXPECT_EQ(store_->get(JobNumber{0}, 1, "x").error().code, Errc::invalid);
  EXPECT_EQ(spooled_files(), 0U) << "a refused artifact's body is removed";
}

TEST_F(DirectoryStoreTest, TakesNamesOfEveryAllowedLength) {
  for (const std::size_t size : {1U, 255U, 256U}) {
    const std::string name(size, 'n');
    ASSERT_TRUE(store_->put(JobNumber{1}, 1, name, spool(std::to_string(size))).ok()) << size;
  }
  EXPECT_EQ(slurp(store_->get(JobNumber{1}, 1, std::string(255, 'n'))->path), "255");
  EXPECT_EQ(slurp(store_->get(JobNumber{1}, 1, std::string(256, 'n'))->path), "256");
}

TEST_F(DirectoryStoreTest, NamesOfSeveralPartsGetInNobodysWay) {
  const std::string deep = std::string(254, 'n') + "/x";  // of one byte more than a file's name may have
  const std::string wide = std::string(127, '%') + "/" + std::string(128, 'p');
  std::string parts = "p";
  for (int i = 0; i < 127; ++i) parts += "/p";
  const std::vector<std::string> names{"d",
                                       "d/b.txt",
                                       "d/b.txt/c",
                                       "d%2Fb.txt",
                                       "d%252Fb.txt",
                                       "d%/b",
                                       "d/%2F",
                                       "D/b.txt",
                                       ".../x",
                                       ".hidden/x",
                                       deep,
                                       wide,
                                       parts,
                                       std::string(255, 'n'),
                                       "checkpoint.tar.gz"};
  for (const std::string& name : names) {
    ASSERT_TRUE(store_->put(JobNumber{1}, 1, name, spool("of " + name)).ok()) << name;
  }
  ASSERT_TRUE(store_->put(JobNumber{1}, 1, ports::kCheckpointName, spool("the checkpoint")).ok());
  auto again = DirectoryStore::open(root_);
  for (const std::string& name : names) {
    EXPECT_EQ(slurp((*again)->get(JobNumber{1}, 1, name)->path), "of " + name);
  }
  EXPECT_EQ(slurp((*again)->get(JobNumber{1}, 1, ports::kCheckpointName)->path), "the checkpoint");
  EXPECT_EQ(store_->get(JobNumber{1}, 1, "d/c").error().code, Errc::not_found);
  EXPECT_TRUE(fs::exists(root_ + "/jobs/0/0/1/1.artifacts.nested/d%2Fb.txt"));
}

TEST_F(DirectoryStoreTest, FindsACheckpointWhereItWasKeptBefore) {
  EXPECT_EQ(store_->get(JobNumber{1}, 1, ports::kCheckpointName).error().code, Errc::not_found);
  ASSERT_TRUE(store_->put(JobNumber{1}, 1, ports::kOldCheckpointName, spool("old")).ok());
  EXPECT_EQ(slurp(store_->get(JobNumber{1}, 1, ports::kCheckpointName)->path), "old");
  ASSERT_TRUE(store_->put(JobNumber{1}, 1, ports::kCheckpointName, spool("new")).ok());
  EXPECT_EQ(slurp(store_->get(JobNumber{1}, 1, ports::kCheckpointName)->path), "new");
  EXPECT_EQ(slurp(store_->get(JobNumber{1}, 1, ports::kOldCheckpointName)->path), "old");
}

TEST_F(DirectoryStoreTest, FollowsNoSymbolicLink) {
  std::ofstream(base_ + "/secret") << "secret";
  ASSERT_TRUE(store_->put(JobNumber{1}, 1, "real", spool("1")).ok());
  fs::create_symlink(base_ + "/secret", root_ + "/jobs/0/0/1/1.artifacts/link");
  EXPECT_FALSE(store_->get(JobNumber{1}, 1, "link").ok());
  fs::create_directory_symlink(base_, root_ + "/jobs/0/0/2");
  EXPECT_FALSE(store_->put(JobNumber{2}, 1, "x", spool("1")).ok());
  EXPECT_FALSE(store_->append_log(JobNumber{2}, 1, "stdout", 0, "1").ok());
  EXPECT_FALSE(fs::exists(base_ + "/1.artifacts"));
}

TEST_F(DirectoryStoreTest, AppendsToALogOnlyAtItsEnd) {
  const JobNumber job{5};
  EXPECT_EQ(*store_->append_log(job, 1, "stdout", 0, "hello "), 6);
  EXPECT_EQ(*store_->append_log(job, 1, "stdout", 6, "world"), 11);
  for (const std::int64_t offset : {3, 12, 100}) {
    auto refused = store_->append_log(job, 1, "stdout", offset, "other text that is longer");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_EQ(refused.error().detail, "11");
  }
  EXPECT_EQ(slurp(store_->log(job, 1, "stdout")->path), "hello world");
  EXPECT_EQ(store_->log(job, 1, "stdout")->size, 11);
}

TEST_F(DirectoryStoreTest, AnswersARepeatedChunkWithItsEndAndRefusesADifferentOne) {
  const JobNumber job{5};
  ASSERT_TRUE(store_->append_log(job, 1, "stderr", 0, "hello ").ok());
  ASSERT_TRUE(store_->append_log(job, 1, "stderr", 6, "world").ok());
  EXPECT_EQ(*store_->append_log(job, 1, "stderr", 0, "hello "), 6);
  EXPECT_EQ(*store_->append_log(job, 1, "stderr", 6, "world"), 11);
  EXPECT_EQ(store_->append_log(job, 1, "stderr", 6, "w0rld").error().code, Errc::conflict);
  EXPECT_EQ(slurp(store_->log(job, 1, "stderr")->path), "hello world");
}

TEST_F(DirectoryStoreTest, AChunkBeyondTheStartMakesNoLog) {
  auto refused = store_->append_log(JobNumber{5}, 1, "stdout", 10, "x");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_EQ(refused.error().detail, "0");
  EXPECT_EQ(*store_->append_log(JobNumber{5}, 1, "stdout", 0, ""), 0);
  EXPECT_EQ(store_->log(JobNumber{5}, 1, "stdout").error().code, Errc::not_found);
  EXPECT_EQ(store_->append_log(JobNumber{5}, 1, "stdout", -1, "x").error().code, Errc::invalid);
}

TEST_F(DirectoryStoreTest, OfManyWritersOneAppendsEachPiece) {
  constexpr int kPieces = 40;
  const auto write_all = [&] {
    for (std::int64_t offset = 0; offset < kPieces * 3;) {
      const std::string piece = std::to_string(100 + offset / 3);
      auto end = store_->append_log(JobNumber{9}, 1, "stdout", offset, piece);
      ASSERT_TRUE(end.ok()) << end.error().message;
      offset = *end;
    }
  };
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) writers.emplace_back(write_all);
  for (std::thread& writer : writers) writer.join();
  std::string expected;
  for (int i = 0; i < kPieces; ++i) expected += std::to_string(100 + i);
  EXPECT_EQ(slurp(store_->log(JobNumber{9}, 1, "stdout")->path), expected);
}

// The kernel cuts a write short at the limit on file sizes as it does on a full disk.
TEST_F(DirectoryStoreTest, AChunkThatDoesNotFitLeavesTheLogAsItWas) {
  ASSERT_TRUE(store_->append_log(JobNumber{5}, 1, "stdout", 0, std::string(1000, 'a')).ok());
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  auto* const old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 4096, old.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto refused = store_->append_log(JobNumber{5}, 1, "stdout", 1000, std::string(8000, 'b'));
  auto first = store_->append_log(JobNumber{6}, 1, "stdout", 0, std::string(8000, 'b'));
  auto fits = store_->append_log(JobNumber{5}, 1, "stdout", 1000, std::string(3096, 'c'));
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(refused.error().code, Errc::storage_full);
  EXPECT_EQ(first.error().code, Errc::storage_full);
  EXPECT_EQ(store_->log(JobNumber{6}, 1, "stdout").error().code, Errc::not_found);
  ASSERT_TRUE(fits.ok()) << "the partial chunk was removed";
  EXPECT_EQ(slurp(store_->log(JobNumber{5}, 1, "stdout")->path),
            std::string(1000, 'a') + std::string(3096, 'c'));
}

TEST_F(DirectoryStoreTest, TheMarkerTiesTheDirectoryToOneDeployment) {
  ASSERT_TRUE(store_->check_marker(kDeployment).ok());
  EXPECT_EQ(slurp(root_ + "/deployment"), to_string(kDeployment) + "\n");
  auto again = DirectoryStore::open(root_);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->check_marker(kDeployment).ok());
  EXPECT_EQ((*again)->check_marker(kOther).error().code, Errc::conflict);
}

TEST_F(DirectoryStoreTest, AMissingMarkerBesideJobsIsNotWrittenAgain) {
  ASSERT_TRUE(store_->check_marker(kDeployment).ok());
  ASSERT_TRUE(store_->append_log(JobNumber{5}, 1, "stdout", 0, "x").ok());
  fs::remove(root_ + "/deployment");
  EXPECT_EQ(store_->check_marker(kDeployment).error().code, Errc::conflict);
  EXPECT_FALSE(fs::exists(root_ + "/deployment"));
}

TEST_F(DirectoryStoreTest, ADirectoryThatWentAwayIsAnOutage) {
  fs::rename(root_, base_ + "/elsewhere");
  EXPECT_EQ(store_->check_marker(kDeployment).error().code, Errc::unavailable);
  EXPECT_EQ(store_->get(JobNumber{1}, 1, "x").error().code, Errc::unavailable);
  EXPECT_EQ(store_->append_log(JobNumber{1}, 1, "stdout", 0, "x").error().code, Errc::unavailable);
  EXPECT_FALSE(fs::exists(root_));
}

TEST_F(DirectoryStoreTest, OpeningRemovesOnlyOldSpooledFiles) {
  const std::string fresh = spool("fresh");
  const std::string old = spool("old");
  const struct timespec long_ago[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, old.c_str(), long_ago, 0), 0);
  ASSERT_TRUE(DirectoryStore::open(root_).ok());
  EXPECT_TRUE(fs::exists(fresh));
  EXPECT_FALSE(fs::exists(old));
}

TEST_F(DirectoryStoreTest, OpeningBelowAMissingDirectoryFails) {
  EXPECT_EQ(DirectoryStore::open(base_ + "/no/store").error().code, Errc::unavailable);
}

}  // namespace
}  // namespace drover::artifacts
