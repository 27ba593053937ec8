#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "drover/memstore/mem_store.hpp"

#include "state.hpp"
#include "store.hpp"

namespace drover::model {

[[nodiscard]] std::string describe(const Asked& asked);

// The store in memory beside the model's own: it is asked for the same, by the changes that the engine would
// make of it, and both must then hold the same. It passes the suite that PostgreSQL passes, so that what the
// model takes for granted of a change is what PostgreSQL does. A world is followed from the first on, never
// packed: attempts keep their numbers.
class Mirror {
 public:
  Mirror();
  // Asks for the same. What differs then, as text for people; empty: the answers are alike, and both hold the
  // same.
  [[nodiscard]] std::string judge(const Asked& asked, const World& after);

 private:
  bool ask(const Asked& asked);
  bool claim(int job, int machine);
  bool end(const Change& end);
  bool end_again(const Change& end);
  bool launch(int machine);
  bool enlist(int machine);
  bool move(int machine, core::WorkerMove move);
  [[nodiscard]] ports::EndAttempt reported(ports::EndAttempt end, const Change& change) const;
  template <class C>
  Result<ports::AnswerOf<C>> commit(C change);
  [[nodiscard]] std::string picture();
  [[nodiscard]] std::string picture_of(const World& world) const;
  [[nodiscard]] std::string job_picture(int job, const ports::OpenAttempt* open);
  [[nodiscard]] std::string job_picture_of(const Job& job, int index) const;

  // A machine, as it was launched last.
  struct Known {
    WorkerId worker;
    std::string instance;
    Secret bootstrap;
    Secret token;
  };
  memstore::MemStore store_;
  std::unique_ptr<ports::LeaderSession> session_;
  engine::State engine_;  // what is admitted is asked of it
  PoolId pool_;
  std::array<Known, kMachines> machines_;
  std::array<ports::OpenAttempt, kJobs> claimed_;       // as the last claim of each answered
  std::map<std::pair<int, int>, Sha256> token_hashes_;  // by job and the model's number of the token
  std::array<int, kJobs> tokens_{};
  int launches_ = 0;
};

}  // namespace drover::model
