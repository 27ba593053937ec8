#include "drover/metrics/prometheus_metrics.hpp"

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace drover::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PrometheusMetrics, RendersCountersGaugesAndHistograms) {
  PrometheusMetrics metrics;
  metrics.describe("drover_claims_total", "Attempts opened.");
  metrics.add("drover_claims_total", 2, {{"queue", "default"}});
  metrics.add("drover_claims_total", 1.5, {{"queue", "default"}});
  metrics.add("drover_claims_total", 1, {{"queue", "other"}});
  metrics.set("drover_workers", 4, {});
  metrics.set("drover_workers", 3, {});
  metrics.observe("drover_commit_seconds", 0.004, {});
  metrics.observe("drover_commit_seconds", 45, {});
  const std::string page = metrics.render();
  EXPECT_THAT(page,
              HasSubstr("# HELP drover_claims_total Attempts opened.\n# TYPE drover_claims_total counter\n"));
  EXPECT_THAT(page, HasSubstr("drover_claims_total{queue=\"default\"} 3.5\n"));
  EXPECT_THAT(page, HasSubstr("drover_claims_total{queue=\"other\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE drover_workers gauge\ndrover_workers 3\n"));
  EXPECT_THAT(page, HasSubstr("drover_commit_seconds_bucket{le=\"0.001\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("drover_commit_seconds_bucket{le=\"0.005\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("drover_commit_seconds_bucket{le=\"30\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("drover_commit_seconds_bucket{le=\"60\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("drover_commit_seconds_count 2\n"));
}

TEST(PrometheusMetrics, EscapesLabelsAndKeepsHelpOnOneLine) {
  PrometheusMetrics metrics;
  metrics.describe("drover_x_total", "two\nlines");
  metrics.add("drover_x_total", 1, {{"reason", "a \"quoted\"\nline\\"}});
  EXPECT_THAT(metrics.render(), HasSubstr("# HELP drover_x_total two lines\n"));
  EXPECT_THAT(metrics.render(), HasSubstr(R"(drover_x_total{reason="a \"quoted\"\nline\\"} 1)"));
}

TEST(PrometheusMetrics, DropsWhatPrometheusWouldRefuse) {
  PrometheusMetrics metrics;
  metrics.add("drover_ok_total", 1, {});
  metrics.set("drover_ok_total", 9, {});  // another kind
  metrics.add("not a name", 1, {});
  metrics.add("drover_label_total", 1, {{"bad-label", "x"}});
  metrics.add("drover_ok_total", -5, {});
  metrics.add("drover_ok_total", std::numeric_limits<double>::quiet_NaN(), {});
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("drover_ok_total 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("not a name")));
  EXPECT_THAT(page, Not(HasSubstr("bad-label")));
}

TEST(PrometheusMetrics, CountsFromManyThreads) {
  PrometheusMetrics metrics;
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        metrics.add("drover_rounds_total", 1, {{"parity", round % 2 == 0 ? "even" : "odd"}});
        metrics.observe("drover_round_seconds", 0.5, {});
        if (round % 500 == 0) metrics.render();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("drover_rounds_total{parity=\"even\"} 4000\n"));
  EXPECT_THAT(page, HasSubstr("drover_round_seconds_count 8000\n"));
}

TEST(PrometheusMetrics, PromtoolFindsNothingToSay) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  PrometheusMetrics metrics;
  metrics.describe("drover_claims_total", "Attempts opened.");
  metrics.add("drover_claims_total", 2, {{"queue", "a\\b\n\"c\""}});
  metrics.set("drover_workers", 4, {});  // never described
  metrics.describe("drover_commit_seconds", "Time of a commit.");
  metrics.observe("drover_commit_seconds", 0.004, {{"kind", "x"}});
  FILE* promtool = ::popen("promtool check metrics 2>&1 >/dev/null", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string page = metrics.render();
  EXPECT_EQ(std::fwrite(page.data(), 1, page.size(), promtool), page.size());
  EXPECT_EQ(::pclose(promtool), 0) << page;
}

}  // namespace
}  // namespace drover::metrics
