#pragma once

#include <vector>

#include "former.hpp"
#include "store.hpp"
#include "world.hpp"

namespace drover::model {

// The engine's thread: forms one batch after the other, hears workers meanwhile, and remembers each batch
// when its outcome comes. With the outcome comes what the writer did: until then nobody but the writer can
// tell whether a batch is committed.
class Engine {
 public:
  Engine(World& world, Store& store, Former& former, Bug bug)
      : world_(world), store_(store), former_(former), bug_(bug) {}

  // A change waits for the next batch.
  void add(const Change& change);
  // Forms the next batch of what waits, and claims for these workers, which ask.
  void form(const std::vector<int>& asking);

  // What is in flight was committed, and the answers reach these workers (a bit for each). `asking` as above:
  // the next batch is formed in the same round, if anything waits for it.
  void committed(unsigned reached, const std::vector<int>& asking);
  // The store has no room for it, and says so.
  void refused();
  // The term ends. What is in flight was committed or not; nobody hears it from us, but for these workers.
  void died(bool committed, unsigned reached);
  void takes_over();

  // A heartbeat of its worker, or a repeat of the poll that was not answered yet.
  void hears(int machine);
  // A report of its worker comes in, which is a sign of life like a heartbeat.
  void hears_report(int machine);

 private:
  [[nodiscard]] World take_flight();
  void apply(const World& flight, unsigned reached);
  void make(Change change);
  void make_report(Change end);
  void heartbeat(int machine);
  bool renews(const Run& run);
  void answer_claim(int job, int machine, bool reached);
  void answer_report(const Change& report);
  Job& job(int index) { return world_.jobs[static_cast<std::size_t>(index)]; }
  Machine& machine(int index) { return world_.machines[static_cast<std::size_t>(index)]; }

  World& world_;
  Store& store_;
  Former& former_;
  Bug bug_;
};

// Up, on a machine that runs: what a worker does of itself.
[[nodiscard]] bool acts(const Machine& machine);
// Workers that may be given a job now.
[[nodiscard]] std::vector<int> free_workers(const World& world);
// Whether the lease is over, as far as is known.
[[nodiscard]] bool is_over(const Lease& lease);
// The writer has the end of the job's attempt.
[[nodiscard]] bool end_is_sent(const World& world, int job);
// Something under way is about the job that this machine runs, holds or is to get.
[[nodiscard]] bool is_concerned(const World& world, int machine);
// A change of that kind, of the job, is in flight or waits; any kind but none if none is given.
[[nodiscard]] bool is_under_way(const World& world, int job, Change::Kind kind = Change::Kind::none);

}  // namespace drover::model
