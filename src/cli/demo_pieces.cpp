#include <set>

#include <fmt/format.h>

#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"
#include "drover/cli/client.hpp"
#include "drover/cli/demo.hpp"

namespace drover::cli {
namespace {

bool white(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// `wc -w` counts differently between locales and versions; a word a line is the same everywhere.
constexpr const char* kFileCommand = R"(set -eu
export LC_ALL=C
sum=$(sha256sum <"$INPUT")
words=$(tr -s ' \t\n\v\f\r' '\n' <"$INPUT" | grep -ac . || true)
echo "${sum%% *} $words"
)";

constexpr const char* kCountCommand = R"(set -eu
step=0
if [ -n "$KEEP" ] && [ -s "$DROVER_CHECKPOINT_DIR/step" ]; then
  step=$(cat "$DROVER_CHECKPOINT_DIR/step")
  echo "resumed from checkpoint at step $step"
else
  echo "started from the beginning"
fi
while [ "$step" -lt "$STEPS" ]; do
  sleep "$STEP_S"
  step=$((step + 1))
  if [ -n "$KEEP" ]; then
    echo "$step" >"$DROVER_CHECKPOINT_DIR/.step"
    mv "$DROVER_CHECKPOINT_DIR/.step" "$DROVER_CHECKPOINT_DIR/step"
  fi
  echo "step $step of $STEPS"
done
echo "finished"
)";

Json job(const std::string& name, const char* command, Json env) {
  Json task = Json::object();
  task.set("command", command).set("env", std::move(env));
  Json body = Json::object();
  body.set("name", name).set("task", std::move(task));
  return body;
}

Json counting_job(const std::string& name, int steps, double step_s, const char* keep) {
  Json env = Json::object();
  env.set("STEPS", std::to_string(steps)).set("STEP_S", fmt::format("{}", step_s)).set("KEEP", keep);
  return job(name, kCountCommand, std::move(env));
}

// N of a line "<prefix>N" or "<prefix>N of M".
std::optional<int> number_behind(std::string_view line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return std::nullopt;
  line.remove_prefix(prefix.size());
  const auto number = parse_int(line.substr(0, line.find(' ')));
  if (!number || *number < 0 || *number > 1'000'000) return std::nullopt;
  return static_cast<int>(*number);
}

template <class Piece>
std::string joined(const std::vector<DemoAttempt>& attempts, Piece piece) {
  std::string out;
  for (const DemoAttempt& attempt : attempts) out += (out.empty() ? "" : ", ") + (attempt.*piece);
  return out;
}

}  // namespace

FileFacts facts_of(std::string_view bytes) {
  FileFacts facts{to_hex(sha256(bytes)), 0};
  bool in_word = false;
  for (const char c : bytes) {
    if (!white(c) && !in_word) ++facts.words;
    in_word = !white(c);
  }
  return facts;
}

std::optional<FileFacts> parse_facts(std::string_view log) {
  const std::string_view line = trim(log);
  const std::size_t space = line.find(' ');
  if (space != 64) return std::nullopt;
  const auto words = parse_int(line.substr(space + 1));
  if (!words || *words < 0 ||
      line.substr(0, space).find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return std::nullopt;
  }
  return FileFacts{std::string(line.substr(0, space)), static_cast<std::uint64_t>(*words)};
}

Json file_job(const std::string& name, const std::string& path) {
  Json env = Json::object();
  env.set("INPUT", path);
  return job(name, kFileCommand, std::move(env));
}

Json checkpoint_job(int steps, double step_s) {
  return counting_job("long-with-checkpoint", steps, step_s, "1");
}
Json plain_job(int steps, double step_s) {
  return counting_job("killed-without-notice", steps, step_s, "");
}

int last_step(std::string_view log) {
  int last = 0;
  for (const std::string_view line : split(log, '\n')) last = number_behind(line, "step ").value_or(last);
  return last;
}

std::string check_resumed(std::string_view log, int at_least, int steps) {
  std::optional<int> from;
  int expected = 0;
  for (const std::string_view line : split(log, '\n')) {
    if (line == "started from the beginning") return "it started from the beginning";
    if (const auto step = number_behind(line, "resumed from checkpoint at step ")) {
      from = step;
      expected = *step + 1;
    } else if (const auto done = number_behind(line, "step ")) {
      if (!from) return "it did not say where it went on from";
      if (*done != expected) return fmt::format("it did step {} where step {} was next", *done, expected);
      ++expected;
    }
  }
  if (!from) return "it did not say where it went on from";
  if (*from < at_least)
    return fmt::format("it went on from step {}, although step {} was done", *from, at_least);
  if (expected != steps + 1) return fmt::format("it ended at step {} of {}", expected - 1, steps);
  return {};
}

std::string demo_table(const std::vector<DemoJob>& jobs) {
  std::vector<std::vector<std::string>> rows{{"JOB", "NAME", "ATTEMPTS", "OUTCOMES", "WORKERS", "SECONDS"}};
  for (const DemoJob& one : jobs) {
    rows.push_back({std::to_string(one.number), one.name, std::to_string(one.attempts.size()),
                    joined(one.attempts, &DemoAttempt::outcome), joined(one.attempts, &DemoAttempt::worker),
                    fmt::format("{:.1f}", one.seconds)});
  }
  return render_table(rows);
}

std::string demo_summary(const std::vector<DemoJob>& jobs) {
  std::set<std::string> instances;
  std::size_t interruptions = 0;
  std::size_t lost = 0;
  for (const DemoJob& one : jobs) {
    for (const DemoAttempt& attempt : one.attempts) {
      instances.insert(attempt.worker);
      interruptions += attempt.outcome == "interruption" ? 1 : 0;
    }
    lost += one.state == "succeeded" ? 0 : 1;
  }
  return fmt::format("{} jobs, {} instances, {} interruptions, {} lost", jobs.size(), instances.size(),
                     interruptions, lost);
}

}  // namespace drover::cli
