#include "changes/writer.hpp"
#include "codec.hpp"

namespace drover::postgres {

using ports::InsertLaunch;

template <>
class Writer<InsertLaunch> final : public WriterOf<InsertLaunch> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::third) asked_ = trip.add(insert());
    if (round == Round::last) events_.write(batch_, trip);
  }

  void hear(Round, const Trip& trip) override {
    if (!asked_) return;
    const Rows& rows = trip.at(*asked_);
    std::map<std::string, LaunchId> made;  // by client token
    for (int r = 0; r < rows.size(); ++r) {
      RowReader row = rows[r];
      made.emplace(row.get<std::string>("client_token"), row.get<LaunchId>("id"));
    }
    for (const std::size_t item : items_) {
      const InsertLaunch& launch = change(item);
      const auto found = made.find(launch.request.client_token);
      if (found == made.end()) {
        refuse(item, conflict("there is no such pool, or the client token is in use"));
        continue;
      }
      answer(item, {found->second});
      events_.add(launch.now, "launch_intended", launch.reason, {}, found->second, launch.pool);
    }
  }

 private:
  [[nodiscard]] Statement insert() const {
    Column<PoolId> pool;
    Column<std::string> token, request, reason;
    Column<Sha256> hash;
    Column<WallTime> at;
    for (const std::size_t item : items_) {
      const InsertLaunch& launch = change(item);
      pool.push(launch.pool), token.push(launch.request.client_token);
      request.push(encode_launch(launch.request)), hash.push(launch.bootstrap_hash);
      reason.push(launch.reason), at.push(launch.now);
    }
    return {"write_launch", Params::of(pool, token, request, hash, reason, at)};
  }

  Events events_;
};

DROVER_WRITES(ports::InsertLaunch)

}  // namespace drover::postgres
