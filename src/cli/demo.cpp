#include "drover/cli/demo.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <ostream>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"
#include "drover/cli/client.hpp"

namespace drover::cli {
namespace {

namespace fs = std::filesystem;

constexpr Millis kPollStep{250};
constexpr Seconds kPartLimit{180};  // for one part; far above what it takes
constexpr int kNoticeS = 20;        // EC2 gives 120
constexpr int kSteps = 16;
constexpr double kStepS = 0.5;
constexpr int kInterruptAt = 5;  // steps done before the instance is taken

struct Failure {
  std::string what;
};

// Ends the demonstration, a program of sequential steps, when one of them fails. The exception does not leave
// this file.
template <class T>
T need(Result<T> result, const std::string& what) {
  if (!result.ok()) throw Failure{fmt::format("{}: {}", what, result.error().message)};
  return std::move(*result);
}

std::int64_t number_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->if_int() != nullptr ? *value->if_int() : 0;
}

std::optional<WallTime> time_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->if_string() != nullptr ? parse_rfc3339(*value->if_string())
                                                           : std::nullopt;
}

const Json::Array& items(const Json& json) {
  static const Json::Array none;
  return json.if_array() != nullptr ? *json.if_array() : none;
}

class Demo {
 public:
  Demo(const DemoOptions& options, ports::HttpClient& http, std::ostream& out, const std::atomic<bool>& stop)
      : options_(options), api_(http, options.url), control_(http, options.control), out_(out), stop_(stop) {}

  void run() {
    run_files();
    run_interrupted();
    run_killed();
  }

  // Every job submitted so far, as the API tells it now.
  std::vector<DemoJob> jobs() {
    std::vector<DemoJob> jobs;
    for (const std::int64_t number : numbers_) jobs.push_back(read_job(number));
    return jobs;
  }

  void explain_open_jobs() {
    for (const std::int64_t number : numbers_) {
      const auto job = api_.get(fmt::format("/jobs/{}", number));
      if (!job.ok() || done(text_of(*job, "state"))) continue;
      const auto why = api_.text(fmt::format("/jobs/{}/explain", number));
      if (why.ok()) out_ << fmt::format("  job {}: {}\n", number, trim(*why));
    }
  }

 private:
  static bool done(std::string_view state) {
    return state == "succeeded" || state == "failed" || state == "cancelled";
  }

  void say(const std::string& text) { out_ << text << std::endl; }

  void wait_until(const std::string& what, const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + kPartLimit;
    while (!condition()) {
      if (stop_) throw Failure{"interrupted"};
      if (std::chrono::steady_clock::now() > until) throw Failure{what + " takes too long"};
      std::this_thread::sleep_for(kPollStep);
    }
  }

  std::vector<std::int64_t> submit(const std::vector<Json>& bodies) {
    std::vector<std::int64_t> numbers;
    for (std::size_t at = 0; at < bodies.size(); at += limits::kJobsPerRequest) {
      Json batch = Json::array();
      for (std::size_t i = at; i < std::min(bodies.size(), at + limits::kJobsPerRequest); ++i)
        batch.push(bodies[i]);
      const Json answer = need(api_.send("POST", "/jobs", batch), "submitting jobs");
      for (const Json& job : items(answer)) numbers.push_back(number_of(job, "number"));
    }
    if (numbers.size() != bodies.size()) throw Failure{"not every job was taken"};
    numbers_.insert(numbers_.end(), numbers.begin(), numbers.end());
    return numbers;
  }

  std::string log(std::int64_t number, int attempt = 0) {
    std::string path = fmt::format("/jobs/{}/logs/stdout", number);
    if (attempt > 0) path += fmt::format("?attempt={}", attempt);
    const auto text = api_.text(path);
    if (!text.ok() && text.error().code == Errc::not_found) return {};  // nothing written yet
    return need(text, fmt::format("reading the log of job {}", number));
  }

  Json job(std::int64_t number) {
    return need(api_.get(fmt::format("/jobs/{}", number)), fmt::format("reading job {}", number));
  }

  DemoJob read_job(std::int64_t number) {
    const Json json = job(number);
    DemoJob out;
    out.number = number;
    out.name = text_of(json, "name");
    out.state = text_of(json, "state");
    const Json attempts = need(api_.get(fmt::format("/jobs/{}/attempts", number)), "reading attempts");
    for (const Json& attempt : items(attempts)) {
      const bool open = time_of(attempt, "ended_at") == std::nullopt;
      out.attempts.push_back({open ? "running" : text_of(attempt, "outcome"), text_of(attempt, "worker")});
    }
    const auto started =
        items(attempts).empty() ? std::nullopt : time_of(items(attempts).front(), "started_at");
    const auto finished = time_of(json, "finished_at");
    if (started && finished) out.seconds = std::chrono::duration<double>(*finished - *started).count();
    return out;
  }

  // The states of `numbers`, read in pages from the newest job down.
  std::map<std::string, int> count_states(const std::vector<std::int64_t>& numbers) {
    const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
    std::map<std::string, int> states;
    std::int64_t before = *high + 1;
    while (before > *low) {
      const Json page = need(api_.get(fmt::format("/jobs?limit=1000&before={}", before)), "listing jobs");
      if (items(page).empty()) break;
      for (const Json& one : items(page)) {
        before = number_of(one, "number");
        if (std::binary_search(numbers.begin(), numbers.end(), before)) ++states[text_of(one, "state")];
      }
    }
    return states;
  }

  std::vector<fs::path> input_files() {
    std::vector<fs::path> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(options_.input, error)) {
      if (!entry.is_regular_file(error)) continue;
      if (storable_text(entry.path().string())) {
        files.push_back(fs::absolute(entry.path()));
      } else {
        say("  a file whose name is not UTF-8 is left out");
      }
    }
    if (files.empty()) throw Failure{fmt::format("there are no files in {}", options_.input)};
    std::sort(files.begin(), files.end());
    return files;
  }

  void run_files() {
    const std::vector<fs::path> files = input_files();
    say(fmt::format("1. SHA-256 and word count of {} files in {}, one job each, on spot workers",
                    files.size(), options_.input));
    std::vector<Json> bodies;
    for (const fs::path& file : files) bodies.push_back(file_job(file.filename().string(), file.string()));
    const std::vector<std::int64_t> numbers = submit(bodies);
    std::string shown;
    wait_until("the work on the files", [&] {
      std::map<std::string, int> states = count_states(numbers);
      const int ended = states["succeeded"] + states["failed"] + states["cancelled"];
      const std::string now =
          fmt::format("   {} queued, {} running, {} ended", states["queued"], states["running"], ended);
      if (now != shown) say(shown = now);
      return ended == static_cast<int>(numbers.size());
    });
    for (std::size_t i = 0; i < files.size(); ++i) check_file(numbers[i], files[i]);
    say(fmt::format("   all {} results are what this program computes itself", files.size()));
  }

  void check_file(std::int64_t number, const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    const FileFacts expected = facts_of(bytes.str());
    const std::string text = log(number);
    if (parse_facts(text) != expected) {
      throw Failure{fmt::format("job {} ({}) wrote \"{}\", but {} {} is right", number, file.string(),
                                trim(text), expected.sha256, expected.words)};
    }
  }

  // Waits until the job has done `steps` steps; the instance that it runs on.
  std::string wait_for_step(std::int64_t number, int steps) {
    wait_until(fmt::format("job {}", number), [&] { return last_step(log(number)) >= steps; });
    std::string worker;
    wait_until(fmt::format("job {}", number), [&] {
      const Json json = job(number);
      worker = text_of(json, "worker");
      if (done(text_of(json, "state")))
        throw Failure{fmt::format("job {} ended before it was disturbed", number)};
      return worker != "-";
    });
    return worker;
  }

  DemoJob wait_for_success(std::int64_t number) {
    std::size_t seen = 1;
    wait_until(fmt::format("job {}", number), [&] {
      const DemoJob now = read_job(number);
      if (now.attempts.size() > seen) {
        seen = now.attempts.size();
        say(fmt::format("   attempt {} runs on {}", seen, now.attempts.back().worker));
      }
      return done(now.state);
    });
    DemoJob ended = read_job(number);
    if (ended.state != "succeeded") throw Failure{fmt::format("job {} {}", number, ended.state)};
    if (ended.attempts.size() < 2) throw Failure{fmt::format("job {} was not disturbed", number)};
    if (ended.attempts.front().outcome != "interruption") {
      throw Failure{
          fmt::format("the first attempt of job {} ended as {}", number, ended.attempts.front().outcome)};
    }
    if (ended.attempts.back().worker == ended.attempts.front().worker) {
      throw Failure{fmt::format("job {} went on on the worker that was taken away", number)};
    }
    return ended;
  }

  void run_interrupted() {
    say(fmt::format("2. A job of {} steps that keeps a checkpoint; its instance is taken WITH notice",
                    kSteps));
    const std::int64_t number = submit({checkpoint_job(kSteps, kStepS)}).front();
    const std::string instance = wait_for_step(number, kInterruptAt);
    Json notice = Json::object();
    notice.set("notice_s", kNoticeS);
    (void)need(control_.send("POST", fmt::format("/instances/{}/interrupt", instance), notice),
               "interrupting");
    say(fmt::format("   {} gets a notice of {} s after step {}", instance, kNoticeS, last_step(log(number))));
    const DemoJob ended = wait_for_success(number);
    const std::string last = log(number, static_cast<int>(ended.attempts.size()));
    if (const std::string wrong = check_resumed(last, kInterruptAt, kSteps); !wrong.empty()) {
      throw Failure{fmt::format("job {} did not resume: {}", number, wrong)};
    }
    say(fmt::format("   its log: {}", last.substr(0, last.find('\n'))));
  }

  void run_killed() {
    say("3. A job whose instance is killed WITHOUT notice");
    const std::int64_t number = submit({plain_job(kSteps / 2, kStepS)}).front();
    const std::string instance = wait_for_step(number, 2);
    (void)need(control_.send("POST", fmt::format("/instances/{}/kill", instance), Json::object()), "killing");
    say(fmt::format("   {} is gone after step {}", instance, last_step(log(number))));
    const DemoJob ended = wait_for_success(number);
    if (last_step(log(number, static_cast<int>(ended.attempts.size()))) != kSteps / 2) {
      throw Failure{fmt::format("job {} did not do all of its steps", number)};
    }
    say("   it ran again and finished");
  }

  const DemoOptions& options_;
  ApiClient api_;
  ApiClient control_;
  std::ostream& out_;
  const std::atomic<bool>& stop_;
  std::vector<std::int64_t> numbers_;
};

}  // namespace

int run_demo(const DemoOptions& options, ports::HttpClient& http, std::ostream& out,
             const std::atomic<bool>& stop) {
  Demo demo(options, http, out, stop);
  std::string failure;
  try {
    demo.run();
  } catch (const Failure& error) {
    failure = error.what;
  }
  if (stop) return 1;
  std::vector<DemoJob> jobs;
  try {
    jobs = demo.jobs();
    if (!failure.empty()) demo.explain_open_jobs();
  } catch (const Failure& error) {
    if (failure.empty()) failure = error.what;
  }
  out << "\n" << demo_table(jobs) << "\n";
  const bool complete =
      std::all_of(jobs.begin(), jobs.end(), [](const DemoJob& job) { return job.state == "succeeded"; });
  if (failure.empty() && !complete) failure = "not every job succeeded";
  if (!failure.empty()) out << "The demonstration failed: " << failure << "\n";
  out << demo_summary(jobs) << std::endl;
  return failure.empty() ? 0 : 1;
}

}  // namespace drover::cli
