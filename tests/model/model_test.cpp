#include <fstream>
#include <iostream>
#include <sstream>

#include <gtest/gtest.h>

#include "explorer.hpp"

// A small model checker over the pure core and the forming of batches: docs/model.md says what it looks at.
namespace drover::model {
namespace {

constexpr std::size_t kMost = 20'000'000;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kFaults = 2;  // a tenth of the speed
#else
constexpr int kFaults = 3;
#endif

std::string told(const std::vector<std::string>& steps) {
  std::string out;
  for (const std::string& step : steps) out += (out.empty() ? "" : "; ") + step;
  return out;
}

TEST(Model, AllHoldsWithinItsBound) {
  const Exploration seen = explore(Bug::none, kFaults, kMost);
  std::cout << seen.worlds << " worlds, " << seen.steps << " steps, depth " << seen.depth << ", " << kFaults
            << " faults, " << seen.plans << " different questions to the planner\n";
  EXPECT_EQ(seen.finding.predicate, "") << told(seen.finding.steps);
  EXPECT_TRUE(seen.complete) << "no world within the faults is left out";
  EXPECT_EQ(seen.kinds.size(), 43U) << "every kind of move was made";
}

struct Planted {
  Bug bug;
  const char* name;
  int faults;  // enough for it to show
  const char* predicate;
};

const Planted kPlanted[] = {
    {Bug::finish_without_token, "a finish is taken without its token", 1, kOnlyItsOwn},
    {Bug::release_without_token, "a release is taken without its token", 2, kOnlyItsOwn},
    {Bug::expiry_keeps_number, "an expiry does not raise the attempt's number", 1, kCountersTrue},
    {Bug::repeat_counts_again, "a repeated finish is carried out again", 2, kCountersTrue},
    {Bug::takeover_gives_no_term, "a takeover gives no full term", 1, kSilenceAlone},
    {Bug::cordon_ignores_lease, "a cordon does not look for leases", 1, kNoLeaseAfterCordon},
    {Bug::end_forgets_cancel, "an end forgets that its job was being cancelled", 1, kCancelKept},
    {Bug::interruption_is_failure, "an interruption counts as the job's failure", 1, kCountersTrue},
    {Bug::pause_misses_what_was_decided, "what was decided before a pause is committed after it", 1,
     kPausedIsPaused},
    {Bug::refused_claim_loses_job, "a refused claim takes its job from the ready ones", 1, kAllEnd},
    {Bug::batch_before_remembered, "a batch is made before the last one is remembered", 2, kCancelKept},
    {Bug::heartbeat_renews_ending, "a heartbeat renews an attempt whose end is with the writer", 1,
     kRenewalHolds},
    {Bug::waiting_expiry_not_asked, "an expiry that waited is not asked again", 1, kSilenceAlone},
    {Bug::keys_before_commit, "ready keys are read before the batch of their order is committed", 1,
     kReadyTrue},
    {Bug::keys_lack_what_came, "keys read before a commit lack what it made ready", 2, kAllEnd},
    {Bug::give_back_takes_repeat, "an undelivered answer takes back what a repeat handed out", 1,
     kGivenStays},
    {Bug::delivery_outlives_term, "an undelivered answer of an earlier term takes an attempt back", 2,
     kGivenStays},
    {Bug::report_renews_nothing, "a report does not renew its attempt", 1, kSilenceAlone},
    {Bug::refusal_forgets_heartbeat, "a heartbeat before an end is refused is forgotten", 1, kSilenceAlone},
    {Bug::put_off_overtaken, "a change that was put off lets a later one pass", 2, kPutOffFirst},
};

void PrintTo(const Planted& planted, std::ostream* out) {
  *out << planted.name;
}

class PlantedBug : public ::testing::TestWithParam<Planted> {};

// Each must be found, by the predicate that is there for it, and docs/model.md must tell the shortest
// history.
TEST_P(PlantedBug, IsFound) {
  const Planted& planted = GetParam();
  const Exploration seen = explore(planted.bug, planted.faults, kMost);
  EXPECT_EQ(seen.finding.predicate, planted.predicate);
  const std::string row = std::string("| ") + planted.name + " | " + seen.finding.predicate + " | " +
                          told(seen.finding.steps) + " |";
  std::cout << row << "\n" << seen.worlds << " worlds looked at\n";
  std::ifstream file(DROVER_SOURCE_DIR "/docs/model.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find(row + "\n"), std::string::npos) << "docs/model.md should have the row\n" << row;
}

INSTANTIATE_TEST_SUITE_P(Model, PlantedBug, ::testing::ValuesIn(kPlanted));

}  // namespace
}  // namespace drover::model
