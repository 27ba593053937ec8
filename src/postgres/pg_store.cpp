#include "drover/postgres/pg_store.hpp"

#include <limits>
#include <thread>

#include <fmt/format.h>

#include "drover/base/text.hpp"

#include "count.hpp"
#include "migrator.hpp"
#include "read_pool.hpp"
#include "rows.hpp"
#include "writer.hpp"

namespace drover::postgres {
namespace {

constexpr std::int64_t kNoBound = std::numeric_limits<std::int64_t>::max();
constexpr Millis kReplyGrace{5000};      // beyond the server's own statement_timeout
constexpr Millis kWriteTimeout{30'000};  // of one statement of the leader
constexpr Millis kMigrateTimeout{600'000};
constexpr Millis kCountTimeout{1'800'000};
constexpr Millis kEndingPoll{10};  // between looks at a transaction whose backend was told to end
constexpr int kEndingPolls = 300;
// Partitions from yesterday, for clocks that differ, to a week from now.
constexpr int kFirstDay = -1;
constexpr int kLastDay = 7;

// The statement that serves a filter. Each filter has a statement of its own, so that it walks one index.
struct JobQuery {
  std::string name;
  Params params;
};

// The stored states that a filter asks for. Jobs that run or stop have one of these too, besides their lease.
std::vector<std::string_view> stored_states(const ports::JobFilter& filter) {
  if (filter.state) return {core::to_string(*filter.state)};
  return {"blocked", "queued", "held", "suspended", "succeeded", "failed", "cancelled"};
}

JobQuery job_query(const ports::JobFilter& filter) {
  const std::int64_t before = filter.before ? filter.before->value : kNoBound;
  JobQuery out{"read_jobs_any", Params::of(before, std::int64_t{filter.limit}, filter.task_bytes)};
  if (filter.state == core::JobState::running || filter.state == core::JobState::stopping) {
    out.name = "read_jobs_leased";
    out.params.add(filter.state == core::JobState::running).add(filter.queue).add(filter.name);
  } else if (filter.queue || filter.name) {
    Column<std::string_view> states;
    for (const std::string_view state : stored_states(filter)) states.push(state);
    out.params.add(states).add(filter.state.has_value());
    out.name = filter.name ? "read_jobs_name" : "read_jobs_queue";
    if (filter.name) out.params.add(*filter.name);
    out.params.add(filter.queue);
  } else if (filter.state) {
    out.name = core::is_final(*filter.state) ? "read_jobs_final" : "read_jobs_live";
    out.params.add(core::to_string(*filter.state));
  }
  return out;
}

class PgStore final : public ports::Store {
 public:
  explicit PgStore(PgOptions options)
      : options_(std::move(options)),
        pool_(reader_session(options_), options_.read_connections),
        keys_(keys_session(options_), 1) {}

  Result<int> migrate() override;
  Result<std::unique_ptr<ports::LeaderSession>> lead() override;
  Result<ports::TransactionFate> resolve(const std::string& transaction_id) override;
  Result<std::unique_ptr<ports::DepthCount>> open_count() override;
  Result<ports::ReadyAnswer> ready(const ports::ReadyQuestion& question) override;
  Status make_partitions(WallTime now) override;

  Result<std::optional<ports::JobRow>> job(JobNumber number) override;
  Result<std::vector<ports::JobRow>> jobs(const ports::JobFilter& filter) override;
  Result<std::vector<ports::AttemptRow>> attempts(JobNumber number) override;
  Result<std::vector<ports::ArtifactRow>> artifacts(JobNumber number, std::string_view after,
                                                    int limit) override {
    return all("read_artifacts", Params::of(number, after, std::int64_t{limit}), read_artifact);
  }
  Result<std::optional<ports::ArtifactRow>> artifact(JobNumber number, std::string_view name) override {
    return first("read_artifact", Params::of(number, name), read_artifact);
  }
  Result<std::vector<ports::WorkerRow>> workers(bool with_gone, std::optional<WorkerId> before,
                                                int limit) override {
    const std::int64_t bound = before ? before->value : kNoBound;
    return all(with_gone ? "read_workers" : "read_workers_alive", Params::of(bound, std::int64_t{limit}),
               read_worker);
  }
  Result<std::optional<ports::WorkerRow>> worker(const std::string& instance_id_or_number) override {
    if (const auto id = parse_int(instance_id_or_number))
      return first("read_worker", Params::of(*id), read_worker);
    return first("read_worker_instance", Params::of(instance_id_or_number), read_worker);
  }
  Result<std::vector<ports::PoolRow>> pools() override { return all("read_pools", {}, read_pool); }
  Result<ports::FleetSnapshot> fleet() override;
  Result<std::optional<ports::LaunchRow>> launch_by_token(const Sha256& bootstrap_hash) override {
    return first("read_launch_token", Params::of(bootstrap_hash), read_launch);
  }

 private:
  static SessionOptions reader_session(const PgOptions& options) {
    SessionOptions out;
    out.conninfo = options.conninfo;
    out.application_name = "drover read";
    out.statement_timeout = options.statement_timeout;
    out.read_only = true;
    out.reply_timeout = options.statement_timeout + kReplyGrace;
    return out;
  }
  // Claims wait for these reads, so they have a connection that no list ever holds. It is one to the primary,
  // since a standby server may lack what was committed.
  static SessionOptions keys_session(const PgOptions& options) {
    SessionOptions out = reader_session(options);
    out.application_name = "drover keys";
    out.primary = true;
    return out;
  }
  template <class Row>
  Result<std::vector<Row>> all(std::string_view query, const Params& params, Row (*read)(RowReader)) {
    auto rows = pool_.run(query, params);
    if (!rows.ok()) return rows.error();
    return read_all(*rows, read);
  }
  template <class Row>
  Result<std::optional<Row>> first(std::string_view query, const Params& params, Row (*read)(RowReader)) {
    auto rows = pool_.run(query, params);
    if (!rows.ok()) return rows.error();
    return read_first(*rows, read);
  }

  PgOptions options_;
  ReadPool pool_;
  ReadPool keys_;
};

Result<int> PgStore::migrate() {
  SessionOptions session;
  session.conninfo = options_.conninfo;
  session.application_name = "drover migrate";
  session.reply_timeout = kMigrateTimeout;
  auto connection = Connection::open(session);
  if (!connection.ok()) return connection.error();
  return postgres::migrate(**connection, embedded_files());
}

Result<std::unique_ptr<ports::LeaderSession>> PgStore::lead() {
  LeaderOptions leader;
  leader.session.conninfo = options_.conninfo;
  leader.session.application_name = "drover leader";
  leader.session.statement_timeout = kWriteTimeout;
  leader.session.idle_timeout = options_.takeover;
  leader.session.reply_timeout = kWriteTimeout + kReplyGrace;
  leader.allow_unsafe = options_.allow_unsafe;
  return postgres::lead(leader);
}

Result<ports::TransactionFate> PgStore::resolve(const std::string& transaction_id) {
  const auto id = parse_transaction_id(transaction_id);
  if (!id) return internal(fmt::format("'{}' is not a transaction id", transaction_id));
  std::optional<std::string> status;
  for (int poll = 0;; ++poll) {
    auto rows = pool_.run("read_xact_status", Params::of(id->xid));
    // 22023: the xid is beyond the server's counter, so a crash has undone the transaction.
    if (!rows.ok() && rows.error().detail == "22023") return ports::TransactionFate::aborted;
    if (!rows.ok()) return rows.error();
    (*rows)[0].read("status", status);
    if (status != "in progress") break;
    if (poll == kEndingPolls) return ports::TransactionFate::in_progress;
    if (auto ended = pool_.run("read_xact_end", Params::of(id->xid)); !ended.ok()) return ended.error();
    std::this_thread::sleep_for(kEndingPoll);
  }
  if (id->mark == 0) {
    return status == "committed" ? ports::TransactionFate::committed : ports::TransactionFate::aborted;
  }
  auto rows = pool_.run("read_batch_mark", Params::of(id->mark, id->epoch));
  if (!rows.ok()) return rows.error();
  return (*rows)[0].get<bool>("written") ? ports::TransactionFate::committed
                                         : ports::TransactionFate::aborted;
}

Result<std::unique_ptr<ports::DepthCount>> PgStore::open_count() {
  SessionOptions session;
  session.conninfo = options_.conninfo;
  session.application_name = "drover count";
  session.read_only = true;
  session.reply_timeout = kCountTimeout;
  return postgres::open_count(session);
}

Result<ports::ReadyAnswer> PgStore::ready(const ports::ReadyQuestion& question) {
  const core::ReadyKey from =
      question.after.value_or(core::ReadyKey{std::numeric_limits<std::int32_t>::min(), 0});
  const std::vector<Statement> reads{
      {question.suspects ? "read_ready_suspects" : "read_ready",
       Params::of(question.queue, from.rank, from.number, std::int64_t{question.limit})},
      {"read_epoch"}};
  auto rows = keys_.snapshot(reads);
  if (!rows.ok()) return rows.error();
  const Rows& keys = (*rows)[0];
  ports::ReadyAnswer out;
  out.epoch = (*rows)[1][0].get<std::int64_t>("epoch");
  out.keys.reserve(static_cast<std::size_t>(keys.size()));
  for (int r = 0; r < keys.size(); ++r) {
    core::ReadyKey key;
    keys[r].read("rank", key.rank).read("number", key.number);
    out.keys.push_back(key);
  }
  return out;
}

// A day at a time, so that readers are held up for one day's tables only. Another daemon may be making the
// same tables: a day that fails so is left to it.
Status PgStore::make_partitions(WallTime now) {
  SessionOptions session;
  session.conninfo = options_.conninfo;
  session.application_name = "drover admin";
  session.statement_timeout = kWriteTimeout;
  session.reply_timeout = kWriteTimeout + kReplyGrace;
  session.primary = true;
  auto connection = Connection::open(session);
  if (!connection.ok()) return connection.error();
  Status made = Ok{};
  for (int day = kFirstDay; day <= kLastDay && !(*connection)->broken(); ++day) {
    const auto done = (*connection)->run_once("admin_make_partitions", Params::of(now, day));
    if (!done.ok()) made = done.error();
  }
  return made;
}

// Most questions are about living jobs: their partition is asked alone first.
Result<std::optional<ports::JobRow>> PgStore::job(JobNumber number) {
  auto live = first("read_job_live", Params::of(number), read_job);
  if (!live.ok() || *live) return live;
  return first("read_job", Params::of(number), read_job);
}

Result<std::vector<ports::JobRow>> PgStore::jobs(const ports::JobFilter& filter) {
  const JobQuery query = job_query(filter);
  return all(query.name, query.params, read_job);
}

Result<std::vector<ports::AttemptRow>> PgStore::attempts(JobNumber number) {
  auto rows = pool_.run("read_attempts", Params::of(number));
  if (!rows.ok()) return rows.error();
  std::vector<ports::AttemptRow> out;
  for (int r = 0; r < rows->size(); ++r) out.push_back(read_attempt((*rows)[r], number));
  return out;
}

Result<ports::FleetSnapshot> PgStore::fleet() {
  const std::vector<Statement> reads{{"read_workers_alive", Params::of(kNoBound, kNoBound)},
                                     {"read_launches_open"}};
  auto rows = pool_.snapshot(reads);
  if (!rows.ok()) return rows.error();
  return ports::FleetSnapshot{read_all((*rows)[0], read_worker), read_all((*rows)[1], read_launch)};
}

}  // namespace

std::unique_ptr<ports::Store> make_pg_store(PgOptions options) {
  return std::make_unique<PgStore>(std::move(options));
}

}  // namespace drover::postgres
