#include <gtest/gtest.h>

#include "drover/base/limits.hpp"

#include "api/bodies.hpp"

namespace drover::api {
namespace {

Result<core::JobSpec> parse(const std::string& text) {
  const Result<Json> json = parse_json(text);
  EXPECT_TRUE(json.ok()) << text;
  const Result<std::vector<core::JobSpec>> jobs = parse_jobs(*json);
  if (!jobs.ok()) return jobs.error();
  core::JobSpec spec = jobs->front();
  if (spec.retry.max_attempts == core::kUnsaidAttempts)
    spec.retry.max_attempts = 3;  // as the tunable may say
  return spec;
}

std::string with(const std::string& members) {
  return R"({"task":{"command":"true"},)" + members + "}";
}

TEST(JobSpec, TakesEveryField) {
  const auto spec = parse(R"({"queue":"gpu.a-b_1","name":"réné","owner":"me","priority":-7,
      "task":{"args":["prog","","a b"],"env":{"A_1":"x"}},
      "resources":{"cpus":0.5,"mem_mib":2048,"disk_mib":10,"gpus":2},"labels":{"team":"x","empty":""},
      "retry":{"max_attempts":4,"max_interruptions":0,"backoff_s":60},"timeout_s":30,
      "run_at":"2030-01-02T03:04:05Z","hold":true})");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->queue, "gpu.a-b_1");
  EXPECT_EQ(spec->name, "réné");
  EXPECT_EQ(spec->owner, "me");
  EXPECT_EQ(spec->priority, -7);
  EXPECT_EQ(spec->task, R"({"args":["prog","","a b"],"env":{"A_1":"x"}})");
  EXPECT_EQ(spec->resources, (core::Resources{0.5, 2048, 10, 2}));
  EXPECT_EQ(spec->labels, (core::Labels{{"team", "x"}, {"empty", ""}}));
  EXPECT_EQ(spec->retry, (core::RetryRules{4, 0, Seconds{60}}));
  EXPECT_EQ(spec->timeout, Seconds{30});
  EXPECT_EQ(spec->run_at, WallTime(std::chrono::sys_days{std::chrono::year{2030} / 1 / 2} + Seconds{11045}));
  EXPECT_TRUE(spec->hold);
}

TEST(JobSpec, HasDefaults) {
  const auto spec = parse(R"({"task":{"command":"x"}})");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->queue, "default");
  EXPECT_EQ(spec->retry, (core::RetryRules{3, std::nullopt, Seconds{5}}));
  EXPECT_EQ(spec->resources, core::Resources{});
  EXPECT_EQ(spec->priority, 0);
  EXPECT_FALSE(spec->run_at);
  EXPECT_FALSE(spec->hold);
}

TEST(JobSpec, NullMeansAbsentWhereAnswersHaveNull) {
  const auto spec = parse(with(R"("run_at":null,"retry":{"max_interruptions":null})"));
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_FALSE(spec->run_at);
  EXPECT_FALSE(spec->retry.max_interruptions);
}

TEST(JobSpec, TakesTheBounds) {
  for (const std::string members :
       {R"("priority":1000000)", R"("priority":-1000000)", R"("priority":1.0)",
        R"("resources":{"cpus":65536})", R"("timeout_s":0)", R"("retry":{"max_attempts":1000})",
        R"("retry":{"max_attempts":1})", R"("retry":{"backoff_s":0})", R"("retry":{"backoff_s":3600})",
        R"("run_at":"2030-01-02T03:04:05+02:00")", R"("name":"")"}) {
    EXPECT_TRUE(parse(with(members)).ok()) << members;
  }
  EXPECT_TRUE(parse(with("\"queue\":\"" + std::string(128, 'q') + "\"")).ok());
  EXPECT_TRUE(parse(with("\"name\":\"" + std::string(256, 'n') + "\"")).ok());
}

struct Refusal {
  std::string text;
  std::string field;
};

class Refused : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refused, NamesTheMember) {
  const auto spec = parse(GetParam().text);
  ASSERT_FALSE(spec.ok()) << GetParam().text;
  EXPECT_EQ(spec.error().code, Errc::invalid);
  EXPECT_EQ(spec.error().field, GetParam().field) << spec.error().message;
  EXPECT_NE(spec.error().message.find(GetParam().field), std::string::npos) << spec.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Types, Refused,
    ::testing::Values(
        Refusal{"[1]", "[0]"}, Refusal{"\"x\"", ""}, Refusal{"null", ""}, Refusal{"{}", "task"},
        Refusal{with(R"("queue":1)"), "queue"}, Refusal{with(R"("queue":null)"), "queue"},
        Refusal{with(R"("name":[])"), "name"}, Refusal{with(R"("name":null)"), "name"},
        Refusal{with(R"("owner":true)"), "owner"}, Refusal{with(R"("priority":"1")"), "priority"},
        Refusal{with(R"("priority":1.5)"), "priority"}, Refusal{with(R"("priority":true)"), "priority"},
        Refusal{with(R"("resources":[])"), "resources"}, Refusal{with(R"("resources":null)"), "resources"},
        Refusal{with(R"("resources":{"cpus":"2"})"), "resources.cpus"},
        Refusal{with(R"("resources":{"mem_mib":1.5})"), "resources.mem_mib"},
        Refusal{with(R"("resources":{"disk_mib":"1"})"), "resources.disk_mib"},
        Refusal{with(R"("resources":{"gpus":null})"), "resources.gpus"},
        Refusal{with(R"("labels":["a"])"), "labels"}, Refusal{with(R"("labels":{"a":1})"), "labels.a"},
        Refusal{with(R"("retry":3)"), "retry"},
        Refusal{with(R"("retry":{"max_attempts":"3"})"), "retry.max_attempts"},
        Refusal{with(R"("retry":{"max_interruptions":"3"})"), "retry.max_interruptions"},
        Refusal{with(R"("retry":{"backoff_s":1.5})"), "retry.backoff_s"},
        Refusal{with(R"("timeout_s":"5")"), "timeout_s"}, Refusal{with(R"("run_at":5)"), "run_at"},
        Refusal{with(R"("hold":"yes")"), "hold"}, Refusal{with(R"("hold":0)"), "hold"}));

INSTANTIATE_TEST_SUITE_P(
    Bounds, Refused,
    ::testing::Values(Refusal{with(R"("queue":"")"), "queue"}, Refusal{with(R"("queue":"a b")"), "queue"},
                      Refusal{with(R"("queue":"a/b")"), "queue"},
                      Refusal{with("\"queue\":\"" + std::string(129, 'q') + "\""), "queue"},
                      Refusal{with("\"name\":\"" + std::string(257, 'n') + "\""), "name"},
                      Refusal{with(R"("name":"a\nb")"), "name"},
                      Refusal{with(R"("owner":"\u007f")"), "owner"},
                      Refusal{with(R"("priority":1000001)"), "priority"},
                      Refusal{with(R"("priority":-1000001)"), "priority"},
                      Refusal{with(R"("priority":99999999999999999999)"), "priority"},
                      Refusal{with(R"("resources":{"cpus":0})"), "resources.cpus"},
                      Refusal{with(R"("resources":{"cpus":-1})"), "resources.cpus"},
                      Refusal{with(R"("resources":{"cpus":65537})"), "resources.cpus"},
                      Refusal{with(R"("resources":{"mem_mib":-1})"), "resources.mem_mib"},
                      Refusal{with(R"("resources":{"mem_mib":1073741825})"), "resources.mem_mib"},
                      Refusal{with(R"("resources":{"gpus":1025})"), "resources.gpus"},
                      Refusal{with(R"("retry":{"max_attempts":0})"), "retry.max_attempts"},
                      Refusal{with(R"("retry":{"max_attempts":1001})"), "retry.max_attempts"},
                      Refusal{with(R"("retry":{"max_interruptions":-1})"), "retry.max_interruptions"},
                      Refusal{with(R"("retry":{"backoff_s":3601})"), "retry.backoff_s"},
                      Refusal{with(R"("timeout_s":-1)"), "timeout_s"},
                      Refusal{with(R"("timeout_s":400000000)"), "timeout_s"},
                      Refusal{with(R"("run_at":"tomorrow")"), "run_at"},
                      Refusal{with(R"("run_at":"2030-01-02")"), "run_at"},
                      Refusal{with(R"("run_at":"1969-12-31T23:59:59Z")"), "run_at"},
                      Refusal{with(R"("labels":{"":"x"})"), "labels."},
                      Refusal{with(R"("labels":{"a\tb":"x"})"), "labels.a\tb"}));

INSTANTIATE_TEST_SUITE_P(Unknown, Refused,
                         ::testing::Values(Refusal{with(R"("que":"x")"), "que"},
                                           Refusal{with(R"("state":"held")"), "state"},
                                           Refusal{with(R"("resources":{"memory":1})"), "resources.memory"},
                                           Refusal{with(R"("retry":{"times":1})"), "retry.times"},
                                           Refusal{R"({"task":{"command":"x","shell":"y"}})", "task.shell"}));

INSTANTIATE_TEST_SUITE_P(
    Tasks, Refused,
    ::testing::Values(Refusal{R"({"task":"true"})", "task"}, Refusal{R"({"task":null})", "task"},
                      Refusal{R"({"task":{}})", "task"}, Refusal{R"({"task":{"env":{}}})", "task"},
                      Refusal{R"({"task":{"command":"x","args":["x"]}})", "task"},
                      Refusal{R"({"task":{"command":""}})", "task.command"},
                      Refusal{R"({"task":{"command":["x"]}})", "task.command"},
                      Refusal{R"({"task":{"command":null}})", "task.command"},
                      Refusal{R"({"task":{"args":"x"}})", "task.args"},
                      Refusal{R"({"task":{"args":[]}})", "task.args"},
                      Refusal{R"({"task":{"args":["x",2]}})", "task.args[1]"},
                      Refusal{R"({"task":{"args":["","x"]}})", "task.args[0]"},
                      Refusal{R"({"task":{"command":"x","env":["A=1"]}})", "task.env"},
                      Refusal{R"({"task":{"command":"x","env":{"X":1}}})", "task.env.X"},
                      Refusal{R"({"task":{"command":"x","env":{"1X":"a"}}})", "task.env.1X"},
                      Refusal{R"({"task":{"command":"x","env":{"A=B":"a"}}})", "task.env.A=B"},
                      Refusal{R"({"task":{"command":"x","env":{"":"a"}}})", "task.env."},
                      Refusal{R"({"task":{"command":"x","env":{"é":"a"}}})", "task.env.é"}));

TEST(JobSpec, BoundsWhatTheKernelTakes) {
  const auto command = [](std::size_t bytes) {
    return R"({"task":{"command":")" + std::string(bytes, 'x') + "\"}}";
  };
  EXPECT_TRUE(parse(command(limits::kArgumentBytes)).ok());
  EXPECT_EQ(parse(command(limits::kArgumentBytes + 1)).error().field, "task.command");
  const auto env = [](std::size_t bytes) {  // "NAME=" counts
    return R"({"task":{"command":"x","env":{"NAME":")" + std::string(bytes, 'x') + "\"}}}";
  };
  EXPECT_TRUE(parse(env(limits::kArgumentBytes - 5)).ok());
  EXPECT_EQ(parse(env(limits::kArgumentBytes - 4)).error().field, "task.env.NAME");
  const std::string part(100'000, 'x');
  EXPECT_EQ(parse(R"({"task":{"args":[")" + part + "\",\"" + part + "\",\"" + part + "\"]}}").error().field,
            "task");
}

TEST(JobSpec, BoundsLabels) {
  std::string labels;
  for (std::size_t i = 0; i < limits::kLabels; ++i)
    labels += (i ? ",\"l" : "\"l") + std::to_string(i) + "\":\"\"";
  EXPECT_TRUE(parse(with("\"labels\":{" + labels + "}")).ok());
  EXPECT_EQ(parse(with("\"labels\":{" + labels + ",\"more\":\"\"}")).error().field, "labels");
  EXPECT_EQ(parse(with("\"labels\":{\"a\":\"" + std::string(257, 'x') + "\"}")).error().field, "labels.a");
}

Result<std::vector<core::JobSpec>> parse_many(const std::string& text) {
  return parse_jobs(*parse_json(text));
}

TEST(JobSpecs, TakesOneOrAnArray) {
  EXPECT_EQ(parse_many(R"({"task":{"command":"a"}})")->size(), 1U);
  const auto two = parse_many(R"([{"task":{"command":"a"}},{"task":{"command":"b"},"queue":"q"}])");
  ASSERT_TRUE(two.ok());
  ASSERT_EQ(two->size(), 2U);
  EXPECT_EQ((*two)[1].queue, "q");
}

TEST(JobSpecs, NamesTheElement) {
  const std::string good = R"({"task":{"command":"a"}})";
  EXPECT_EQ(parse_many("[" + good + "," + good + "," + good + R"(,{"task":{"command":"a"},"queue":5}])")
                .error()
                .field,
            "[3].queue");
  EXPECT_EQ(parse_many("[" + good + R"(,{"task":{"command":"a","env":{"X":1}}}])").error().field,
            "[1].task.env.X");
  EXPECT_EQ(parse_many("[7]").error().field, "[0]");
  EXPECT_FALSE(parse_many("[]").ok());
}

TEST(JobSpecs, BoundsTheirNumber) {
  const auto many = [](std::size_t count) {
    std::string text = "[";
    for (std::size_t i = 0; i < count; ++i)
      text += (i ? "," : "") + std::string(R"({"task":{"command":"a"}})");
    return parse_many(text + "]");
  };
  EXPECT_TRUE(many(limits::kJobsPerRequest).ok());
  const auto refused = many(limits::kJobsPerRequest + 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::too_large);
  EXPECT_NE(refused.error().message.find("1000 at a time"), std::string::npos);
}

TEST(JobSpec, KeepsTheTaskAsGiven) {
  const auto spec = parse(R"({"task":{"env":{"Z":"1","A":"\u00e9\n"},"command":"echo \"1\" /x"}})");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->task, R"({"env":{"Z":"1","A":"é\n"},"command":"echo \"1\" /x"})");
}

}  // namespace
}  // namespace drover::api
