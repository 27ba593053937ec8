#include <map>

#include <fmt/format.h>

#include "changes/writer.hpp"

namespace drover::postgres {

template <>
class Writer<ports::PutArtifact> final : public WriterOf<ports::PutArtifact> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round != Round::second) return;
    Column<JobNumber> number;
    Column<int> attempt;
    Column<Sha256> token, hash;
    Column<std::string> name;
    Column<std::int64_t> size;
    Column<WallTime> at;
    for (const std::size_t item : items_) {
      const ports::PutArtifact& put = change(item);
      number.push(put.job), attempt.push(put.attempt), token.push(put.token_hash), name.push(put.name);
      size.push(put.size), hash.push(put.sha256), at.push(put.now);
    }
    event_base_ = batch_.reserve_events(items_.size());
    asked_ = trip.add({"write_artifact", Params::of(number, attempt, token, name, size, hash, at, event_base_,
                                                    batch_.epoch, ports::kArtifactsOfAttempt)});
  }

  void hear(Round, const Trip& trip) override {
    if (!asked_) return;
    std::map<std::int64_t, bool> kept;  // by job: of its open attempt
    const Rows& rows = trip.at(*asked_);
    for (int r = 0; r < rows.size(); ++r) {
      RowReader row = rows[r];
      const auto job = row.get<std::int64_t>("number");
      kept[job] = row.get<bool>("kept");
      if (kept[job]) batch_.wrote_event_after(event_base_);
    }
    for (const std::size_t item : items_) {
      const ports::PutArtifact& put = change(item);
      const auto found = kept.find(put.job.value);
      if (found == kept.end()) {
        refuse(item, stale(fmt::format("attempt {} of job {} is not open with this token", put.attempt,
                                       put.job.value)));
      } else if (found->second) {
        answer(item, {});
      } else {
        refuse(item,
               too_large(fmt::format("an attempt has at most {} artifacts", ports::kArtifactsOfAttempt)));
      }
    }
  }

 private:
  std::int64_t event_base_ = 0;
};

DROVER_WRITES(ports::PutArtifact)

}  // namespace drover::postgres
