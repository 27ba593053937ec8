#include "drover/cli/demo.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace drover::cli {
namespace {

// Runs a job's command as a worker would, with its environment and these variables before it.
std::string run_command(const Json& job, const std::string& directory) {
  std::ofstream script(directory + "/job.sh");
  script << "export DROVER_CHECKPOINT_DIR='" << directory << "'\n";
  for (const Json::Member& one : *job.find("task")->find("env")->if_object()) {
    script << "export " << one.key << "='" << *one.value.if_string() << "'\n";
  }
  script << *job.find("task")->find("command")->if_string();
  script.close();
  FILE* pipe = ::popen(("bash '" + directory + "/job.sh' 2>&1").c_str(), "r");
  std::string out;
  char buffer[512];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, got);
  EXPECT_EQ(::pclose(pipe), 0) << out;
  return out;
}

class DemoJobs : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/drover-demo-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(DemoJobs, TheShellCountsWhatTheProgramCounts) {
  const std::string samples[] = {"",
                                 "one",
                                 "one two\nthree\t four\r\n",
                                 "  leading and trailing  \n\n",
                                 "\x0b\x0c",
                                 "a\x0b"
                                 "b\x0c"
                                 "c",
                                 std::string("nul\0byte \xff\xfe high", 16),
                                 "\xc2\xa0nbsp\xc2\xa0word"};
  for (const std::string& bytes : samples) {
    const std::string path = directory_ + "/input file";
    std::ofstream(path, std::ios::binary) << bytes;
    const std::string log = run_command(file_job("x", path), directory_);
    EXPECT_EQ(parse_facts(log), facts_of(bytes)) << log;
  }
}

TEST(Facts, AreTheKnownOnes) {
  EXPECT_EQ(facts_of("abc  def\n").words, 2u);
  EXPECT_EQ(facts_of("abc").sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Facts, OnlyALineOfTheRightShapeIsRead) {
  const std::string sum(64, 'a');
  EXPECT_EQ(parse_facts(sum + " 12\n"), (FileFacts{sum, 12}));
  for (const std::string& bad : {std::string(), sum, sum + " x", sum + " -1", sum + " 1 2", "b " + sum,
                                 std::string(64, 'g') + " 1", sum + " 1\nmore"}) {
    EXPECT_FALSE(parse_facts(bad).has_value()) << bad;
  }
}

TEST_F(DemoJobs, ACheckpointIsGoneOnFrom) {
  const Json job = checkpoint_job(4, 0.0);
  const std::string first = run_command(job, directory_);
  EXPECT_EQ(last_step(first), 4);
  EXPECT_EQ(first.substr(0, first.find('\n')), "started from the beginning");
  std::ofstream(directory_ + "/step") << "2\n";
  const std::string second = run_command(job, directory_);
  EXPECT_EQ(check_resumed(second, 2, 4), "");
  EXPECT_NE(check_resumed(second, 3, 4), "") << "a step done before was done again";
  EXPECT_NE(check_resumed(first, 0, 4), "");
  std::filesystem::remove(directory_ + "/step");
}

TEST_F(DemoJobs, ThePlainJobKeepsNothing) {
  EXPECT_EQ(last_step(run_command(plain_job(2, 0.0), directory_)), 2);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/step"));
}

TEST(CheckResumed, FindsEveryWayToBeWrong) {
  const std::string good = "resumed from checkpoint at step 5\nstep 6 of 7\nstep 7 of 7\nfinished\n";
  EXPECT_EQ(check_resumed(good, 5, 7), "");
  EXPECT_EQ(check_resumed(good, 4, 7), "");
  EXPECT_NE(check_resumed(good, 6, 7), "");
  EXPECT_NE(check_resumed(good, 5, 8), "");
  EXPECT_NE(check_resumed("", 0, 0), "");
  EXPECT_NE(check_resumed("step 6 of 7\nstep 7 of 7\n", 0, 7), "");
  EXPECT_NE(check_resumed("resumed from checkpoint at step 5\nstep 7 of 7\n", 5, 7), "")
      << "a step is missing";
  EXPECT_NE(check_resumed("resumed from checkpoint at step 5\nstep 5 of 7\nstep 6 of 7\nstep 7 of 7\n", 5, 7),
            "");
  EXPECT_NE(check_resumed("started from the beginning\n" + good, 5, 7), "");
}

TEST(LastStep, IsTheLastWholeOne) {
  EXPECT_EQ(last_step(""), 0);
  EXPECT_EQ(last_step("started from the beginning\n"), 0);
  EXPECT_EQ(last_step("step 1 of 9\nstep 2 of 9\nste"), 2);
}

TEST(Summary, CountsJobsInstancesInterruptionsAndLosses) {
  std::vector<DemoJob> jobs(3);
  jobs[0] = {1, "a", "succeeded", {{"succeeded", "i-1"}}, 0.25};
  jobs[1] = {2, "b", "succeeded", {{"interruption", "i-1"}, {"succeeded", "i-2"}}, 3};
  jobs[2] = {3, "c", "running", {{"interruption", "i-2"}, {"infra", "i-3"}, {"running", "i-1"}}, 0};
  EXPECT_EQ(demo_summary(jobs), "3 jobs, 3 instances, 2 interruptions, 1 lost");
  const std::string table = demo_table(jobs);
  EXPECT_NE(table.find("2    b     2         interruption, succeeded       i-1, i-2       3.0\n"),
            std::string::npos)
      << table;
}

}  // namespace
}  // namespace drover::cli
