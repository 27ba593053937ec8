#include "drover/base/log.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drover/base/json.hpp"

namespace drover {
namespace {

// What `work` writes to standard error, in a process of its own: the logger looks at it once, at the first
// line. `journal`: as if systemd had connected it to its journal.
std::string logged(const std::function<void()>& work, bool journal = false) {
  std::string path = ::testing::TempDir() + "log-XXXXXX";
  const int file = ::mkostemp(path.data(), O_CLOEXEC);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(file, STDERR_FILENO);
    struct stat own {};
    ::fstat(STDERR_FILENO, &own);
    ::setenv("JOURNAL_STREAM",
             fmt::format("{}:{}", own.st_dev, journal ? own.st_ino : own.st_ino + 1).c_str(), 1);
    work();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  std::string out(4096, '\0');
  const ssize_t read = ::pread(file, out.data(), out.size(), 0);
  out.resize(read < 0 ? 0 : static_cast<std::size_t>(read));
  ::close(file);
  ::unlink(path.c_str());
  return out;
}

TEST(Log, MembersStandBehindTheText) {
  const std::string line = logged([] {
    log_line(LogLevel::info, "pool made",
             {{"pool", "gpu"}, {"was", ""}, {"why", "two words"}, {"odd", "a\nb=\"c\""}});
  });
  EXPECT_NE(line.find("Z info pool made pool=gpu was=\"\" why=\"two words\" odd=\"a\\nb=\\\"c\\\"\"\n"),
            std::string::npos)
      << line;
}

TEST(Log, MembersAreMembersOfAJsonLine) {
  const std::string line = logged([] {
    set_log_level(LogLevel::info, true);
    log_line(LogLevel::warn, "job parked", {{"job", "17"}});
  });
  const Result<Json> json = parse_json(line.substr(0, line.find('\n')));
  ASSERT_TRUE(json.ok()) << line;
  EXPECT_EQ(*json->find("message"), Json("job parked"));
  EXPECT_EQ(*json->find("level"), Json("warning"));
  EXPECT_EQ(*json->find("job"), Json("17"));
}

TEST(Log, TheJournalIsToldThePriorityOfEachLine) {
  const auto work = [] {
    set_log_level(LogLevel::debug);
    log_debug("one");
    log_info("two");
    log_warn("three");
    log_error("four");
  };
  EXPECT_EQ(logged(work, true), "<7>one\n<6>two\n<4>three\n<3>four\n");
  EXPECT_EQ(logged(work, false).find('<'), std::string::npos);
}

}  // namespace
}  // namespace drover
