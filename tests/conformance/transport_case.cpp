#include "conformance/transport_case.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/known_failures.hpp"

namespace drover::transport {

namespace {

constexpr const char* kChild = "DROVER_CONFORMANCE_CHILD";  // its directory, which its parent removes
constexpr unsigned kChildSeconds = 600;
constexpr unsigned kKnownSeconds = 30;
constexpr const char* kShortPatienceMs = "1000";  // for what is known to fail, mostly by silence

const KnownFailure* known_failure(std::string_view name) {
  const auto& all = known_failures();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const KnownFailure& known) { return known.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// Tells a sanitizer what it is not to report of the library.
void forgive(const char* variable, const std::string& file) {
  const char* options = std::getenv(variable);
  const std::string all = "suppressions=" DROVER_SOURCE_DIR "/tests/conformance/" + file + " " +
                          std::string(options != nullptr ? options : "");
  ::setenv(variable, all.c_str(), 1);
}

[[noreturn]] void become_case(const std::string& name, bool known, const std::string& directory, int output) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::setenv(kChild, directory.c_str(), 1);
  if (known) ::setenv("DROVER_PATIENCE_MS", kShortPatienceMs, 1);
  ::unsetenv("GTEST_OUTPUT");
  forgive("TSAN_OPTIONS", "tsan.supp");
  forgive("LSAN_OPTIONS", "lsan.supp");
  ::alarm(known ? kKnownSeconds : kChildSeconds);  // outlives exec
  const std::string filter = "--gtest_filter=cpprest." + name;
  ::execl("/proc/self/exe", "test_conformance", filter.c_str(), nullptr);
  ::_exit(127);
}

struct Outcome {
  bool passed = false;
  std::string output;  // ends with how the process ended, unless it exited by itself
};

Outcome run_alone(const std::string& name, bool known, const std::string& directory) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) become_case(name, known, directory, ends[1]);
  ::close(ends[1]);
  Outcome outcome;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    outcome.output.append(buffer, static_cast<std::size_t>(count));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFSIGNALED(status)) outcome.output += "ended by signal " + std::to_string(WTERMSIG(status));
  return outcome;
}

void judge(const std::string& name, const std::string& directory) {
  const KnownFailure* known = known_failure(name);
  const Outcome outcome = run_alone(name, known != nullptr, directory);
  if (known == nullptr) {
    EXPECT_TRUE(outcome.passed) << outcome.output;
  } else if (outcome.passed) {
    ADD_FAILURE() << name << " passes: remove it from known_failures.cpp";
  } else {
    EXPECT_NE(outcome.output.find(known->shows), std::string::npos)
        << name << " fails in another way than known_failures.cpp says:\n"
        << outcome.output;
  }
}

}  // namespace

std::int64_t peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6));
  }
  std::abort();
}

void TransportCase::SetUp() {
  if (const char* given = std::getenv(kChild)) {
    directory_ = given;
  } else {
    std::string path = (std::filesystem::temp_directory_path() / "drover-transport-XXXXXX").string();
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  options_.spool_directory = directory_;
}

void TransportCase::TearDown() {
  server_.reset();
  handler_.forget_waiting();
  std::error_code ignored;
  if (std::getenv(kChild) == nullptr) std::filesystem::remove_all(directory_, ignored);
}

void TransportCase::TestBody() {
  if (kind() == TransportKind::beast || std::getenv(kChild) != nullptr) return check();
  judge(::testing::UnitTest::GetInstance()->current_test_info()->name(), directory_);
}

void TransportCase::serve() {
  server_ = make_server(kind(), options_, handler_);
  const Status status = server_->start();
  ASSERT_TRUE(status.ok()) << status.error().message;
  ASSERT_NE(server_->port(), 0);
}

Answer TransportCase::ask(const std::string& request) const {
  RawClient client(port());
  client.send(request);
  return client.read_answer();
}

std::optional<http::Stream> TransportCase::open_stream(RawClient& client, const std::string& request) {
  client.send(request);
  const int status = client.read_answer(true).status;
  EXPECT_EQ(status, 200);
  return status == 200 ? std::optional(handler_.next_stream()) : std::nullopt;
}

std::size_t TransportCase::files() const {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory_), std::filesystem::directory_iterator()));
}

namespace {

TEST(KnownFailures, AreCasesOfTheSuiteEachListedOnceWithItsReason) {
  std::set<std::string_view> cases;
  const auto* all = ::testing::UnitTest::GetInstance();
  for (int i = 0; i < all->total_test_suite_count(); ++i) {
    const auto* suite = all->GetTestSuite(i);
    for (int j = 0; std::string_view(suite->name()) == "cpprest" && j < suite->total_test_count(); ++j)
      cases.insert(suite->GetTestInfo(j)->name());
  }
  std::set<std::string_view> seen;
  for (const KnownFailure& known : known_failures()) {
    EXPECT_TRUE(cases.contains(known.name)) << known.name;
    EXPECT_TRUE(seen.insert(known.name).second) << known.name;
    EXPECT_FALSE(known.why.empty()) << known.name;
  }
}

}  // namespace
}  // namespace drover::transport
