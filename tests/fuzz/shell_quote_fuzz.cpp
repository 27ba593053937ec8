// A claim as shell assignments: a shell that sources it gets exactly the bytes that went in, and runs nothing
// but on_claim. The input is a list of texts with NUL between them: queue, name, token, then a command ("c"
// and one text) or arguments ("a" and how many), then values of environment variables.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drover/base/text.hpp"

#include "api/bodies.hpp"
#include "api/worker_shell.hpp"
#include "fuzz/property.hpp"

using drover::Json;
using drover::fuzz::hold;

namespace {

struct Claimed {
  std::string queue;
  std::string name;
  std::string token;
  std::string command;
  std::vector<std::string> args;
  std::vector<std::string> env;
  bool operator==(const Claimed&) const = default;
};

// ---- the input

Claimed read_input(std::string_view input, drover::engine::ClaimedJob& job) {
  const std::vector<std::string_view> texts = drover::split(input, '\0');
  const auto text = [&](std::size_t i) {
    return std::string(i < texts.size() ? texts[i] : std::string_view());
  };
  Claimed claimed{text(0), text(1), text(2), {}, {}, {}};
  Json task = Json::object();
  std::size_t at = 4;
  if (text(3).starts_with('a')) {
    const std::size_t end = at + std::clamp<std::size_t>(text(3).size(), 1, 8);
    Json args = Json::array();
    for (; at < end; ++at) {
      // The program's name is never empty: the API sees to that.
      claimed.args.push_back(args.if_array()->empty() && text(at).empty() ? "p" : text(at));
      args.push(claimed.args.back());
    }
    task.set("args", std::move(args));
  } else {
    claimed.command = text(at).empty() ? "true" : text(at);
    task.set("command", claimed.command);
    ++at;
  }
  Json env = Json::object();
  for (int i = 0; at < texts.size() && i < 8; ++at, ++i) {
    const std::string variable = "V" + std::to_string(i);
    env.set(variable, texts[at]);
    claimed.env.push_back(variable + "=" + text(at));
  }
  task.set("env", std::move(env));
  job.attempt.queue = claimed.queue;
  job.attempt.name = claimed.name;
  job.attempt.task = task.dump();
  job.token = drover::Secret(claimed.token);
  if (!drover::storable_text(job.attempt.task)) {  // only a row changed by hand can be so
    claimed.args.clear();
    claimed.env.clear();
    claimed.command = "echo 'drover: the stored task of this job cannot be read' >&2; exit 126";
  }
  return claimed;
}

// ---- a reading of the assignments that knows nothing but them

// Takes `name=word`, `name=(word …)` and the line `on_claim`; a word is digits, or of quoted pieces and \'.
// Anything else might be run by a shell, and is no assignment of ours.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  void expect(std::string_view literal) {
    hold(take(literal), "not the assignment that was expected:", literal);
  }
  std::string word() {
    std::string out;
    for (bool any = false;; any = true) {
      if (take("\\'")) {
        out += '\'';
      } else if (take("'")) {
        const std::size_t end = rest_.find('\'');
        hold(end != std::string_view::npos, "a quote is not closed");
        out += rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
      } else {
        hold(any, "a word without quotes");
        return out;
      }
    }
  }
  std::string text(std::string_view name) {
    expect(name);
    expect("=");
    std::string value = word();
    expect("\n");
    return value;
  }
  std::vector<std::string> words(std::string_view name) {
    std::vector<std::string> out;
    expect(name);
    expect("=(");
    while (!take(")\n")) {
      if (!out.empty()) expect(" ");
      out.push_back(word());
    }
    return out;
  }
  void number(std::string_view name, std::int64_t value) {
    expect(name);
    expect("=" + std::to_string(value) + "\n");
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

Claimed unquote(std::string_view script) {
  Reader reader(script);
  Claimed claimed;
  reader.number("claim_jobs", 1);
  reader.number("claim_drain", 0);
  reader.number("job_number", 7);
  hold(drover::parse_uuid(reader.text("job_id")).has_value(), "the id is no UUID");
  reader.number("job_attempt", 1);
  claimed.token = reader.text("job_token");
  claimed.queue = reader.text("job_queue");
  claimed.name = reader.text("job_name");
  claimed.command = reader.text("job_command");
  claimed.args = reader.words("job_args");
  claimed.env = reader.words("job_env");
  reader.number("job_timeout_s", 60);
  reader.number("job_max_log_bytes", 4096);
  reader.number("job_resume", 0);
  hold(reader.text("job_checkpoint").empty(), "a checkpoint from nowhere");
  reader.expect("on_claim\n");
  hold(reader.done(), "something behind the last assignment");
  return claimed;
}

// ---- the shell itself

// One bash for the whole run, that sources a file as the worker program does and prints what it got.
class Bash {
 public:
  Bash() {
    std::string path = "/tmp/drover-fuzz-XXXXXX";
    const int file = ::mkstemp(path.data());
    int down[2];
    int up[2];
    hold(file >= 0 && ::pipe2(down, O_CLOEXEC) == 0 && ::pipe2(up, O_CLOEXEC) == 0,
         "no file or pipe for bash");
    ::close(file);
    path_ = path;
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(down[0], 0);
      ::dup2(up[1], 1);
      // No PATH: if anything were run, it would not be found.
      ::execle("/bin/bash", "bash", "--norc", "--noprofile", "-c", kLoop, "bash", path_.c_str(), nullptr,
               std::vector<char*>{path_variable_.data(), locale_.data(), nullptr}.data());
      ::_exit(127);
    }
    to_ = down[1];
    from_ = up[0];
    ::close(down[0]);
    ::close(up[1]);
  }
  ~Bash() {
    ::close(to_);
    ::close(from_);
    ::waitpid(child_, nullptr, 0);
    ::unlink(path_.c_str());
  }
  Bash(const Bash&) = delete;
  Bash& operator=(const Bash&) = delete;

  // Sources `script` and compares what bash prints with `wanted`, to the byte.
  void expect(const std::string& script, const std::string& wanted) {
    std::ofstream(path_, std::ios::binary) << script;
    hold(::write(to_, "\n", 1) == 1, "bash has ended");
    std::string got(wanted.size(), '\0');
    for (std::size_t at = 0; at < got.size();) {
      const ssize_t count = ::read(from_, got.data() + at, got.size() - at);
      if (count < 0 && errno == EINTR) continue;  // libFuzzer's timer, which also ends a wait without end
      hold(count > 0, "bash has ended");
      at += static_cast<std::size_t>(count);
    }
    hold(got == wanted, "bash reads other bytes than were quoted");
  }

 private:
  static constexpr const char* kLoop = R"(
    on_claim() {
      printf '%s\0' "$job_token" "$job_queue" "$job_name" "$job_command" "${#job_args[@]}" "${job_args[@]}" \
        "${#job_env[@]}" "${job_env[@]}" end
    }
    while read -r; do . "$1"; done)";

  std::string path_;
  std::string path_variable_ = "PATH=/nonexistent";
  std::string locale_ = "LC_ALL=C.UTF-8";  // in which broken characters could be taken amiss
  pid_t child_ = -1;
  int to_ = -1;
  int from_ = -1;
};

std::string printed(const Claimed& claimed) {
  std::string out;
  const auto add = [&](const std::string& text) { out.append(text).push_back('\0'); };
  for (const std::string* text : {&claimed.token, &claimed.queue, &claimed.name, &claimed.command})
    add(*text);
  for (const auto* list : {&claimed.args, &claimed.env}) {
    add(std::to_string(list->size()));
    for (const std::string& text : *list) add(text);
  }
  add("end");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Bash bash;
  drover::engine::ClaimedJob job;
  job.attempt.job = drover::JobNumber{7};
  job.attempt.attempt = 1;
  job.attempt.timeout = drover::Seconds{60};
  job.max_log_bytes = 4096;
  const Claimed claimed = read_input(drover::fuzz::text_of(data, size), job);
  const std::string script = drover::api::claim_sh({{job}, false});
  hold(unquote(script) == claimed, "the assignments say something else than the claim");
  // Only now: nothing in it can be run.
  bash.expect(script, printed(claimed));
  return 0;
}
