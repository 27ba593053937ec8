#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"
#include "drover/base/system_error.hpp"

namespace drover::cli {

// Another user to run as.
struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};
// nullopt when there is no such user.
std::optional<Account> find_account(const std::string& user);

struct ChildSpec {
  std::vector<std::string> argv;  // argv[0] is a path
  // Added to this process's own, of which PG*, AWS_* and the like, proxies and the service manager's
  // variables are left out.
  std::vector<std::pair<std::string, std::string>> env = {};
  std::string log_file =
      {};  // standard error, and standard output unless captured, are appended to it; empty: inherited
  bool capture_stdout = false;  // see Child::read_line
  std::optional<Account> account = {};
  std::vector<int> kept_open =
      {};                // descriptors, close-on-exec here, that it inherits under the same numbers
  int death_signal = 0;  // sent to it when the thread that started it ends; 0: none
};

// A child process in a process group of its own, so that Ctrl-C in the terminal reaches only its parent.
// Start it from a thread that stays: the death signal is tied to that thread. Not thread-safe.
class Child {
 public:
  static Result<Child> start(const ChildSpec& spec);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();  // kill()s it

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Has it ended? Its wait status then.
  std::optional<int> poll();
  std::optional<int> wait(Millis limit);
  // The next line of its captured output, without the newline; an error when none comes within `limit`.
  Result<std::string> read_line(Millis limit);
  // Sends `signal` and waits; SIGKILL to its group after `grace`.
  void stop(int signal, Millis grace);

 private:
  explicit Child(pid_t pid, int output) : pid_(pid), output_(output) {}
  pid_t pid_ = -1;
  int output_ = -1;  // read end of its captured standard output
  std::string pending_;
  std::optional<int> status_;
};

// Runs a program to its end. Its standard output and error together; an error when it cannot be started,
// takes longer than `limit`, or does not exit 0 (with what it wrote).
Result<std::string> run_program(ChildSpec spec, Millis limit);

// "exit status 3", "signal 9".
std::string describe_status(int wait_status);

}  // namespace drover::cli
