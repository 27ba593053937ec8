#include "writer.hpp"

#include <fmt/format.h>

#include "drover/base/failpoint.hpp"
#include "drover/base/log.hpp"
#include "drover/base/text.hpp"

#include "batch.hpp"
#include "rows.hpp"

namespace drover::postgres {
namespace {

class PgWriter final : public ports::LeaderSession {
 public:
  PgWriter(std::unique_ptr<Connection> connection, const LeaderOptions& options, std::int64_t epoch,
           std::int64_t last_event)
      : connection_(std::move(connection)),
        boot_patience_(options.session.reply_timeout),
        commit_patience_(options.commit_patience),
        epoch_(epoch),
        last_event_(last_event) {}

  Result<ports::BootState> boot() override;
  Result<std::vector<ports::Settled>> commit(std::span<const ports::Change> changes) override;
  std::vector<ports::Settled> take_partial() override { return std::exchange(partial_, {}); }
  Result<JobNumber> reserve_numbers(int count) override;
  Status give_back_numbers(JobNumber first, std::int64_t count) override;
  Status ping() override;

 private:
  Error roll_back(Error error);
  Status commit_transaction(const Batch& batch);

  std::unique_ptr<Connection> connection_;
  // How long a reply may take. Reading a large store in boot() may take long. A commit may not: nobody is
  // served while it is under way, and only the time tells a store that hangs from a slow one.
  Millis boot_patience_;
  Millis commit_patience_;
  std::int64_t epoch_;
  std::int64_t last_event_;
  std::vector<ports::Settled> partial_;
};

Result<ports::BootState> PgWriter::boot() {
  const std::vector<Statement> reads{
      {"write_boot_rest"},
      {"write_boot_open"},
      {"read_workers_alive",
       Params::of(std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max())},
      {"read_pools"},
      {"write_next_wake"},
      {"write_boot_settings"}};
  connection_->wait_at_most(boot_patience_);
  auto rows = connection_->pipeline(reads);
  connection_->wait_at_most(commit_patience_);
  if (!rows.ok()) return rows.error();
  ports::BootState out;
  std::string secret;
  if ((*rows)[0].empty()) return conflict("the database was never migrated");
  RowReader rest = (*rows)[0][0];
  rest.read("deployment", out.deployment).read("secret", secret);
  rest.read("paused", out.paused).read("epoch", out.epoch);
  out.deployment_secret = Secret(std::move(secret));
  out.open = read_all((*rows)[1], read_open);
  out.workers = read_all((*rows)[2], read_worker);
  out.pools = read_all((*rows)[3], read_pool);
  if (!(*rows)[4].empty()) (*rows)[4][0].read("wake_at", out.next_wake);
  for (int r = 0; r < (*rows)[5].size(); ++r) {
    auto& [key, value] = out.settings.emplace_back();
    (*rows)[5][r].read("key", key).read("value", value);
  }
  return out;
}

// Only the COMMIT can be in doubt: it is sent alone, after the results of everything else were read.
Result<std::vector<ports::Settled>> PgWriter::commit(std::span<const ports::Change> changes) {
  partial_.clear();
  Batch batch{*connection_, epoch_, last_event_, changes};
  if (auto done = write(batch); !done.ok()) return roll_back(done.error());
  partial_ = std::move(batch.settled);
  if (auto done = commit_transaction(batch); !done.ok()) return done.error();
  return take_partial();
}

Error PgWriter::roll_back(Error error) {
  if (connection_->broken()) return error;
  auto done = connection_->script("ROLLBACK");
  return done.ok() ? error : done.error();
}

Status PgWriter::commit_transaction(const Batch& batch) {
  DROVER_FAILPOINT_EACH("commit", batch.changes, "written");
  const Status sent = connection_->send_script("COMMIT");
  DROVER_FAILPOINT_EACH("commit", batch.changes, "sent");
  auto done = sent.ok() ? connection_->reply() : Result<Rows>(sent.error());
  DROVER_FAILPOINT_EACH("commit", batch.changes, "replied");
  if (done.ok() && done->command_tag() == "COMMIT") return Ok{};
  if (connection_->broken()) {
    return Error{Errc::commit_unknown,
                 "the reply to COMMIT was lost: " + done.error().message,
                 {},
                 to_string(TransactionId{batch.xid, epoch_, batch.mark}),
                 1};
  }
  partial_.clear();
  if (!done.ok()) return roll_back(done.error());
  return internal(fmt::format("COMMIT was answered with {}", done->command_tag()));
}

Result<JobNumber> PgWriter::reserve_numbers(int count) {
  auto rows = connection_->run("write_reserve", Params::of(std::int64_t{count}));
  if (!rows.ok()) return rows.error();
  return (*rows)[0].get<JobNumber>("first_number");
}

Status PgWriter::give_back_numbers(JobNumber first, std::int64_t count) {
  auto done = connection_->run("write_give_back", Params::of(first, count));
  if (!done.ok()) return done.error();
  return Ok{};
}

Status PgWriter::ping() {
  auto rows = connection_->run("write_ping");
  if (!rows.ok()) return rows.error();
  return Ok{};
}

Status check_durability(Connection& connection) {
  auto rows = connection.run_once("admin_durability");
  if (!rows.ok()) return rows.error();
  RowReader row = (*rows)[0];
  const bool fsync = row.get<bool>("fsync");
  const bool full_pages = row.get<bool>("full_page_writes");
  if (fsync && full_pages) return Ok{};
  return conflict(
      fmt::format("PostgreSQL runs with {} = off: a crash can lose jobs that were accepted. Turn it on, or "
                  "allow it explicitly",
                  fsync ? "full_page_writes" : "fsync"));
}

Status prepare_all(Connection& connection) {
  for (const std::string_view prefix : {"read_", "write_"}) {
    auto done = connection.prepare(prefix);
    if (done.ok()) continue;
    Error error = done.error();
    if (error.code == Errc::conflict)
      error.message += ": the database has no schema of this version; migrate it first";
    return error;
  }
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<ports::LeaderSession>> lead(const LeaderOptions& options) {
  auto opened = Connection::open(options.session);
  if (!opened.ok()) return opened.error();
  Connection& connection = **opened;
  if (!options.allow_unsafe) {
    if (auto durable = check_durability(connection); !durable.ok()) return durable.error();
  }
  if (auto prepared = prepare_all(connection); !prepared.ok()) return prepared.error();
  auto locked = connection.run("write_lead_lock");
  if (!locked.ok()) return locked.error();
  if (!(*locked)[0].get<bool>("locked")) {
    const Millis limit = options.session.idle_timeout;
    auto ended = connection.run("write_lead_end_silent", Params::of(std::int64_t{limit.count()}));
    if (!ended.ok()) return ended.error();
    if (!ended->empty()) log_warn("ended the session of a leader that fell silent amid its work");
    return conflict("another daemon leads");
  }
  DROVER_FAILPOINT("lead.locked");
  auto epoch = connection.run("write_lead_epoch");
  if (!epoch.ok()) return epoch.error();
  DROVER_FAILPOINT("lead.epoch");
  auto last = connection.run("write_last_event");
  if (!last.ok()) return last.error();
  const std::int64_t last_event = last->empty() ? 0 : (*last)[0].get<std::int64_t>("id");
  return std::unique_ptr<ports::LeaderSession>(std::make_unique<PgWriter>(
      std::move(*opened), options, (*epoch)[0].get<std::int64_t>("epoch"), last_event));
}

std::string to_string(const TransactionId& id) {
  return fmt::format("{}:{}:{}", id.xid, id.epoch, id.mark);
}

std::optional<TransactionId> parse_transaction_id(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 3) return std::nullopt;
  const auto xid = parse_int(parts[0]);
  const auto epoch = parse_int(parts[1]);
  const auto mark = parse_int(parts[2]);
  if (!xid || !epoch || !mark) return std::nullopt;
  return TransactionId{std::string(parts[0]), *epoch, *mark};
}

}  // namespace drover::postgres
