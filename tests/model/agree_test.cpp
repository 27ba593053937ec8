#include <gtest/gtest.h>

#include "walks.hpp"

// The model's store is judged by the store in memory, which passes the suite that PostgreSQL passes.
namespace drover::model {
namespace {

using What = Asked::What;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr unsigned kWalks = 200;
#else
constexpr unsigned kWalks = 2000;
#endif
constexpr std::size_t kKindsOfCall = 9;

TEST(Agree, InWhatTheModelsMovesAskFor) {
  Walks walks(Bug::none);
  for (unsigned seed = 0; seed < kWalks; ++seed) {
    const Walked walked = walks.walk(seed);
    ASSERT_EQ(walked.differs, "") << "seed " << seed << ": " << walked.steps;
  }
  EXPECT_EQ(walks.tally().done.size(), kKindsOfCall) << "every kind of call was made";
  EXPECT_EQ(walks.tally().ends.size(), 6U) << "attempts ended in every way";
  EXPECT_EQ(walks.tally().moves.size(), 43U) << "every kind of move was made";
}

TEST(Agree, InWhatIsRefused) {
  Tally tally;
  for (unsigned seed = 0; seed < kWalks; ++seed) {
    const Walked walked = Calls(Bug::none, seed, tally).walk();
    ASSERT_EQ(walked.differs, "") << "seed " << seed << ": " << walked.steps;
  }
  EXPECT_EQ(tally.done.size(), kKindsOfCall) << "every kind of call was made";
  for (const What what : {What::claim, What::end, What::end_again, What::act, What::move, What::launch})
    EXPECT_GT(tally.refused[what], 0) << static_cast<int>(what);
}

struct StoreBug {
  Bug bug;
  const char* name;
  What call;      // at which the stores differ
  bool in_walks;  // a few walks lead to it
};

// Those that are built into the store's part.
const StoreBug kStoreBugs[] = {
    {Bug::finish_without_token, "finish_without_token", What::end, false},
    {Bug::release_without_token, "release_without_token", What::end, false},
    {Bug::expiry_keeps_number, "expiry_keeps_number", What::end, true},
    {Bug::repeat_counts_again, "repeat_counts_again", What::end_again, true},
    {Bug::cordon_ignores_lease, "cordon_ignores_lease", What::move, true},
    {Bug::end_forgets_cancel, "end_forgets_cancel", What::end, true},
    {Bug::interruption_is_failure, "interruption_is_failure", What::end, true},
    {Bug::pause_misses_what_was_decided, "pause_misses_what_was_decided", What::launch, true},
};

void PrintTo(const StoreBug& planted, std::ostream* out) {
  *out << planted.name;
}

class PlantedInStore : public ::testing::TestWithParam<StoreBug> {};

// By calls of the store alone each is found; by the model's moves in a few walks, where they lead to it at
// all often.
TEST_P(PlantedInStore, IsFoundByTheStoreInMemory) {
  const StoreBug& planted = GetParam();
  Tally tally;
  Walked found;
  for (unsigned seed = 0; seed < kWalks && found.differs.empty(); ++seed)
    found = Calls(planted.bug, seed, tally).walk();
  EXPECT_NE(found.differs, "") << "found by calls of the store";
  EXPECT_EQ(found.differed, planted.call) << found.steps << "\n" << found.differs;
  if (!planted.in_walks) return;
  Walks walks(planted.bug);
  found = {};
  for (unsigned seed = 0; seed < kWalks && found.differs.empty(); ++seed) found = walks.walk(seed);
  EXPECT_NE(found.differs, "") << "found by the model's moves";
  EXPECT_EQ(found.differed, planted.call) << found.steps << "\n" << found.differs;
}

INSTANTIATE_TEST_SUITE_P(Agree, PlantedInStore, ::testing::ValuesIn(kStoreBugs));

}  // namespace
}  // namespace drover::model
