// What a worker without a JSON parser is sent, evaluated by the shell that it is meant for.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "drover/base/text.hpp"

#include "api/bodies.hpp"
#include "api/worker_shell.hpp"
#include "fake_store.hpp"

namespace drover::api {
namespace {

class Shell : public ::testing::Test {
 protected:
  Shell() {
    std::string path = (std::filesystem::temp_directory_path() / "drover-shell-XXXXXX").string();
    directory_ = ::mkdtemp(path.data());
  }
  ~Shell() override { std::filesystem::remove_all(directory_); }

  // Runs `script` in an empty directory; what it printed, split at NUL.
  std::vector<std::string> run(const std::string& script) {
    std::ofstream(directory_ + "/script.sh", std::ios::binary) << script;
    const std::string command =
        "cd " + directory_ +
        " && mkdir -p empty && cd empty && env -i PATH=/usr/bin:/bin bash ../script.sh > ../out";
    EXPECT_EQ(std::system(command.c_str()), 0);
    EXPECT_TRUE(std::filesystem::is_empty(directory_ + "/empty")) << "the assignments did something";
    const std::string text = read_whole(directory_ + "/out");
    std::vector<std::string> parts;
    for (const std::string_view part : split(text, '\0')) parts.emplace_back(part);
    if (!parts.empty()) parts.pop_back();  // behind the last NUL
    return parts;
  }

 private:
  std::string directory_;
};

const std::vector<std::string>& nasty_strings() {
  static const std::vector<std::string> strings{
      "plain",
      "",
      " lead and trail ",
      "'",
      "''",
      "it's \"quoted\" 'twice'",
      "'; touch pwned; '",
      "$(touch pwned)",
      "`touch pwned`",
      "${HOME} $HOME $$ $! $?",
      "a\nb\n\nc\n",
      "\n",
      "tab\there",
      "back\\slash\\",
      "\\'",
      "!history !! ^x^y",
      "* ? [a-z] ~ {1..3}",
      "; & | < > ( ) # %",
      "-n -e --",
      "=",
      "é 日本語 \xF0\x9F\x90\x8E",
      "\x01\x02\x1b[31m\x7f",
      "\r\n",
      ")\non_claim\n(",
  };
  return strings;
}

engine::ClaimedJob job_with(const Json& task) {
  engine::ClaimedJob job;
  job.attempt.job = JobNumber{17};
  job.attempt.attempt = 3;
  job.attempt.queue = "q";
  job.attempt.task = task.dump();
  job.attempt.timeout = Seconds{30};
  job.token = Secret("tok");
  return job;
}

constexpr const char* kPrintAll = R"(on_claim() {
  printf '%s\0' "$job_number" "$job_id" "$job_attempt" "$job_token" "$job_queue" "$job_name" "$job_command" \
    "$job_timeout_s" "$job_resume" "$job_checkpoint" "${#job_args[@]}" "${#job_env[@]}" "${job_args[@]}" "${job_env[@]}"
}
)";

TEST_F(Shell, EveryStringArrivesAsItIs) {
  Json args = Json::array();
  Json env = Json::object();
  args.push("program");
  std::vector<std::string> wanted_args{"program"};
  std::vector<std::string> wanted_env;
  for (std::size_t i = 0; i < nasty_strings().size(); ++i) {
    args.push(nasty_strings()[i]);
    wanted_args.push_back(nasty_strings()[i]);
    env.set("V" + std::to_string(i), nasty_strings()[i]);
    wanted_env.push_back("V" + std::to_string(i) + "=" + nasty_strings()[i]);
  }
  Json task = Json::object();
  task.set("args", std::move(args)).set("env", std::move(env));
  engine::ClaimedJob job = job_with(task);
  job.attempt.name = "it's $(touch pwned)";
  std::vector<std::string> wanted{"17",
                                  to_string(job.attempt.id),
                                  "3",
                                  "tok",
                                  "q",
                                  job.attempt.name,
                                  "",
                                  "30",
                                  "0",
                                  "",
                                  std::to_string(wanted_args.size()),
                                  std::to_string(wanted_env.size())};
  wanted.insert(wanted.end(), wanted_args.begin(), wanted_args.end());
  wanted.insert(wanted.end(), wanted_env.begin(), wanted_env.end());
  EXPECT_EQ(run(kPrintAll + claim_sh({{job}, false})), wanted);
}

TEST_F(Shell, EveryCommandArrivesAsItIs) {
  engine::ClaimAnswer answer;
  std::vector<std::string> wanted;
  for (const std::string& text : nasty_strings()) {
    if (text.empty()) continue;  // no command
    Json task = Json::object();
    task.set("command", text);
    answer.jobs.push_back(job_with(task));
    wanted.push_back(text);
  }
  EXPECT_EQ(run("on_claim() { printf '%s\\0' \"$job_command\"; }\n" + claim_sh(answer)), wanted);
}

TEST_F(Shell, OneJobLeavesNothingToTheNext) {
  Json first = Json::object();
  first.set("args", Json().push("a").push("b")).set("env", Json::object().set("K", "v"));
  Json second = Json::object();
  second.set("command", "true");
  engine::ClaimedJob resumed = job_with(first);
  resumed.attempt.has_checkpoint = true;
  const auto printed =
      run("on_claim() { printf '%s\\0' "
          "\"$job_command,$job_resume,$job_checkpoint,${#job_args[@]},${#job_env[@]}\"; }\n" +
          claim_sh({{resumed, job_with(second)}, true}) + "printf '%s\\0' \"$claim_jobs,$claim_drain\"\n");
  EXPECT_EQ(printed, (std::vector<std::string>{",1,/jobs/17/checkpoint,2,1", "true,0,,0,0", "2,1"}));
}

TEST_F(Shell, OnlyFixedNamesAreAssigned) {
  Json task = Json::object();
  task.set("command", "true")
      .set("env", Json::object().set("PATH", "/evil").set("job_token", "x").set("IFS", "/"));
  const auto printed = run("on_claim() { printf '%s\\0' \"$PATH\" \"$job_token\" \"$IFS\"; }\n" +
                           claim_sh({{job_with(task)}, false}));
  EXPECT_EQ(printed, (std::vector<std::string>{"/usr/bin:/bin", "tok", " \t\n"}));
}

TEST_F(Shell, TheOtherAnswersEvaluate) {
  const engine::Registered registered{WorkerId{7}, Secret("t"), "p'x", {}, 2, 5, 3};
  const engine::HeartbeatAnswer heard{{{JobNumber{17}, 1, {}}}, false, 5};
  const auto printed = run(
      registered_sh({registered, "7.t"}) + heartbeat_sh(heard) + report_sh({false, core::JobState::queued}) +
      "printf '%s\\0' \"$worker_id\" \"$worker_token\" \"$worker_pool\" \"$worker_slots\" "
      "\"$worker_heartbeat_interval_s\" \"$worker_notice_poll_s\" \"$heartbeat_drain\" "
      "\"$heartbeat_interval_s\" "
      "\"${heartbeat_stop[@]}\" \"$report_state\"\n");
  EXPECT_EQ(printed,
            (std::vector<std::string>{"7", "7.t", "p'x", "2", "5", "3", "0", "5", "17/1", "queued"}));
}

}  // namespace
}  // namespace drover::api
