#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "drover/ports/tokens.hpp"

#include "changes/writer.hpp"
#include "rows.hpp"

namespace drover::postgres {

template <>
class Writer<ports::ClaimJob> final : public WriterOf<ports::ClaimJob> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::first) asked_ = trip.add({"write_claim_read", Params::of(numbers(items_))});
    if (round == Round::second && !claimable_.empty()) asked_ = trip.add(claim());
    if (round == Round::last && !refused_.empty()) asked_ = trip.add(ask_why());
  }

  void hear(Round round, const Trip& trip) override {
    if (round == Round::first) take_claimable(trip.at(*asked_));
    if (round == Round::second) take_claimed(asked_ ? &trip.at(*asked_) : nullptr);
    if (round == Round::last && asked_) explain(trip.at(*asked_));
  }

 private:
  [[nodiscard]] Column<JobNumber> numbers(const Items& items) const {
    Column<JobNumber> out;
    for (const std::size_t item : items) out.push(change(item).job);
    return out;
  }
  void take_claimable(const Rows& rows);
  Statement claim();
  void take_claimed(const Rows* rows);
  [[nodiscard]] Statement ask_why() const;
  void explain(const Rows& rows);

  std::unordered_map<std::int64_t, ports::OpenAttempt> claimable_;  // by number
  std::int64_t event_base_ = 0;
  Items refused_;
};

void Writer<ports::ClaimJob>::take_claimable(const Rows& rows) {
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    ports::OpenAttempt open;
    read_job_run(row, open);
    ++open.attempt;
    const auto state = row.get("state", core::parse_job_state);
    const bool due = !row.get<std::optional<WallTime>>("wake_at");
    if (state == core::JobState::queued && due) claimable_.emplace(open.job.value, std::move(open));
  }
}

Statement Writer<ports::ClaimJob>::claim() {
  Column<JobNumber> number;
  Column<int> attempt;
  Column<WorkerId> worker;
  Column<std::string> nonce;
  Column<Sha256> hash;
  Column<WallTime> started;
  for (const std::size_t item : items_) {
    const ports::ClaimJob& of = change(item);
    const auto found = claimable_.find(of.job.value);
    if (found == claimable_.end()) continue;
    ports::OpenAttempt& open = found->second;
    open.worker = of.worker, open.nonce = of.nonce, open.started = of.started;
    open.token_hash = sha256(ports::attempt_token(of.worker_token, of.nonce, of.job, open.attempt).reveal());
    number.push(open.job), attempt.push(open.attempt), worker.push(open.worker), nonce.push(open.nonce);
    hash.push(open.token_hash), started.push(open.started);
  }
  event_base_ = batch_.reserve_events(claimable_.size());
  return {"write_claim",
          Params::of(number, attempt, worker, nonce, hash, started, event_base_, batch_.epoch)};
}

void Writer<ports::ClaimJob>::take_claimed(const Rows* rows) {
  std::unordered_set<std::int64_t> claimed;
  if (rows != nullptr) {
    if (!rows->empty()) batch_.wrote_event_after(event_base_);
    for (int r = 0; r < rows->size(); ++r) claimed.insert((*rows)[r].get<std::int64_t>("number"));
  }
  for (const std::size_t item : items_) {
    const std::int64_t job = change(item).job.value;
    if (claimed.contains(job)) {
      answer(item, {std::move(claimable_.at(job))});
    } else {
      refused_.push_back(item);
    }
  }
}

Statement Writer<ports::ClaimJob>::ask_why() const {
  Column<WorkerId> workers;
  for (const std::size_t item : refused_) workers.push(change(item).worker);
  return {"write_claim_refused", Params::of(numbers(refused_), workers)};
}

void Writer<ports::ClaimJob>::explain(const Rows& rows) {
  std::unordered_map<std::int64_t, std::string> why;
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    const auto number = row.get<std::int64_t>("number");
    const auto state = row.get<std::optional<std::string>>("job_state");
    const bool later = row.get<bool>("later");
    const bool leased = row.get<bool>("leased");
    const auto worker = row.get<std::optional<std::string>>("worker_state");
    why[number] = !state               ? "it is not alive"
                  : leased             ? "it runs already"
                  : *state != "queued" ? "it is " + *state
                  : later              ? "its time has not come"
                  : !worker            ? "there is no such worker"
                                       : "the worker is " + *worker;
  }
  for (const std::size_t item : refused_) {
    const std::int64_t job = change(item).job.value;
    refuse(item, conflict(fmt::format("cannot claim job {}: {}", job, why[job])));
  }
}

DROVER_WRITES(ports::ClaimJob)

}  // namespace drover::postgres
