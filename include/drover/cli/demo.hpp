#pragma once

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/ports/http_client.hpp"

namespace drover::cli {

// ---- the pure pieces

// What a job says of its file, and what the demonstration computes itself.
struct FileFacts {
  std::string sha256;       // 64 lower-case hex digits
  std::uint64_t words = 0;  // runs of bytes other than ASCII white space
  bool operator==(const FileFacts&) const = default;
};
FileFacts facts_of(std::string_view bytes);
// The line "<sha256> <words>" that a job wrote; nullopt when its log holds anything else.
std::optional<FileFacts> parse_facts(std::string_view log);

// Jobs as the API takes them. `path` is any file name without NUL.
Json file_job(const std::string& name, const std::string& path);
// Counts to `steps`, `step_s` seconds a step, keeps its count as a checkpoint, and goes on from one when it
// finds it.
Json checkpoint_job(int steps, double step_s);
// The same without a checkpoint.
Json plain_job(int steps, double step_s);

// The last "step N" of a log; 0: none.
int last_step(std::string_view log);
// Empty when `log`, of a later attempt, shows that it went on from a checkpoint at `at_least` steps or more
// and did none of the earlier steps again, up to `steps`; otherwise what is wrong.
std::string check_resumed(std::string_view log, int at_least, int steps);

struct DemoAttempt {
  std::string outcome;  // "running" while it is open
  std::string worker;
};
struct DemoJob {
  std::int64_t number = 0;
  std::string name;
  std::string state;
  std::vector<DemoAttempt> attempts;
  double seconds = 0;  // from its first start to its end
};
std::string demo_table(const std::vector<DemoJob>& jobs);
// "14 jobs, 3 instances, 2 interruptions, 0 lost".
std::string demo_summary(const std::vector<DemoJob>& jobs);

// ---- the run

struct DemoOptions {
  std::string url;      // of the daemon
  std::string control;  // control interface of the local cloud
  std::string input;    // directory
};

// Runs the demonstration against a daemon that is ready, as any client would, printing what it does. Returns
// the exit status: 0 only if every job ended as it must. Ends early, with 1, when `stop` becomes true.
int run_demo(const DemoOptions& options, ports::HttpClient& http, std::ostream& out,
             const std::atomic<bool>& stop);

}  // namespace drover::cli
