#include "connection.hpp"

#include <algorithm>
#include <cerrno>

#include <libpq-fe.h>
#include <poll.h>

#include "drover/base/check.hpp"
#include "drover/base/log.hpp"
#include "drover/base/masked.hpp"
#include "drover/base/text.hpp"
#include "drover/postgres/embedded.hpp"

namespace drover::postgres {
namespace {

constexpr std::string_view kQueries = "queries/";
constexpr std::string_view kSuffix = ".sql";
constexpr Millis kGlance{200};  // how often a wait looks whether it was given up

std::string_view query_name(const EmbeddedFile& file) {
  if (!file.path.starts_with(kQueries) || !file.path.ends_with(kSuffix)) return {};
  return file.path.substr(kQueries.size(), file.path.size() - kQueries.size() - kSuffix.size());
}

std::string field(const pg_result* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

// SQLSTATE to what a caller can do about it (PostgreSQL, appendix A).
Errc errc_of(std::string_view state) {
  if (state.starts_with("22") || state.starts_with("23")) return Errc::data;
  if (state == "53100") return Errc::storage_full;
  if (state == "57014") return Errc::timeout;
  if (state.starts_with("08") || state.starts_with("53") || state.starts_with("57P") ||
      state.starts_with("40") || state == "25P03" || state == "55P03") {
    return Errc::unavailable;
  }
  if (state == "42P01" || state == "42703" || state == "42883") return Errc::conflict;
  return Errc::internal;
}

// Logs the server's warnings. Its notices ("already exists, skipping") are dropped.
void take_notice(void*, const pg_result* result) {
  const std::string severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == "WARNING") log_warn("PostgreSQL: {}", field(result, PG_DIAG_MESSAGE_PRIMARY));
}

struct ParamPointers {
  explicit ParamPointers(const Params& params) {
    for (const auto& value : params.values()) {
      values.push_back(value ? value->data() : nullptr);
      lengths.push_back(value ? static_cast<int>(value->size()) : 0);
      formats.push_back(1);
    }
  }
  [[nodiscard]] int count() const { return static_cast<int>(values.size()); }
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
};

// Whether the password in a URL holds a character that has to be written as %xx. libpq then takes a part of
// the password for host or port, and quotes it in its messages.
bool has_bare_password(std::string_view conninfo) {
  if (!conninfo.starts_with("postgresql://") && !conninfo.starts_with("postgres://")) return false;
  conninfo.remove_prefix(conninfo.find("//") + 2);
  const std::string_view authority = conninfo.substr(0, conninfo.find_first_of("/?#"));
  if (const std::size_t at = authority.find('@'); at != std::string_view::npos)
    return authority.find('@', at + 1) != std::string_view::npos;
  const std::size_t port = authority.rfind(':');
  return conninfo.find('@', authority.size()) != std::string_view::npos && port != std::string_view::npos &&
         authority.substr(port + 1).find_first_not_of("0123456789") != std::string_view::npos;
}

}  // namespace

std::string_view query_text(std::string_view name) {
  const auto files = embedded_files();
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const EmbeddedFile& file) { return query_name(file) == name; });
  return found == files.end() ? std::string_view() : found->text;
}

Connection::Connection(pg_conn* connection, Millis reply_timeout)
    : connection_(connection), reply_timeout_(reply_timeout) {}

Connection::~Connection() {
  PQfinish(connection_);
}

Result<std::unique_ptr<Connection>> Connection::open(const SessionOptions& options) {
  if (has_bare_password(options.conninfo.reveal())) {
    return invalid(
        "database",
        "the URL of the database has a character in its password that must be encoded: @ as %40, / as "
        "%2F, ? as %3F, # as %23");
  }
  // libpq's own message would quote the string, and with it perhaps a password.
  PQconninfoOption* const parsed = PQconninfoParse(options.conninfo.reveal().c_str(), nullptr);
  if (parsed == nullptr)
    return invalid("database", "the connection string is not one that libpq understands");
  PQconninfoFree(parsed);
  // Later keywords win, so that what the operator says in the connection string overrides the first three.
  const char* const keys[] = {"connect_timeout",
                              "tcp_user_timeout",
                              "keepalives_idle",
                              "dbname",
                              "client_encoding",
                              "application_name",
                              options.primary ? "target_session_attrs" : nullptr,
                              nullptr};
  const char* const values[] = {
      "5",       "10000", "10", options.conninfo.reveal().c_str(), "UTF8", options.application_name.c_str(),
      "primary", nullptr};
  std::unique_ptr<Connection> made(new Connection(PQconnectdbParams(keys, values, 1), options.reply_timeout));
  if (made->connection_ == nullptr || PQstatus(made->connection_) != CONNECTION_OK) {
    return made->lost("cannot connect to PostgreSQL");
  }
  PQsetnonblocking(made->connection_, 1);
  PQsetNoticeReceiver(made->connection_, take_notice, nullptr);
  const std::string idle = std::to_string(options.idle_timeout.count());
  auto set = made->run_once("admin_session", Params::of(std::to_string(options.statement_timeout.count()),
                                                        idle, std::string(options.read_only ? "on" : "off")));
  if (!set.ok()) return set.error();
  return made;
}

Status Connection::prepare(std::string_view prefix) {
  if (broken_) return lost("the connection to PostgreSQL is closed");
  PQenterPipelineMode(connection_);
  std::size_t sent = 0;
  for (const EmbeddedFile& file : embedded_files()) {
    const std::string_view name = query_name(file);
    if (name.empty() || !name.starts_with(prefix)) continue;
    if (PQsendPrepare(connection_, std::string(name).c_str(), std::string(file.text).c_str(), 0, nullptr) ==
        0) {
      return lost("cannot send to PostgreSQL");
    }
    ++sent;
  }
  std::vector<Rows> rows;
  return finish_pipeline(rows, sent);
}

Result<Rows> Connection::run(std::string_view prepared, const Params& params) {
  if (auto sent = send({prepared, params}); !sent.ok()) return sent.error();
  return collect(prepared);
}

Result<Rows> Connection::run_once(std::string_view query, const Params& params) {
  const std::string_view text = query_text(query);
  DROVER_CHECK(!text.empty(), "there is no such query");
  if (auto sent = send({text, params, true}); !sent.ok()) return sent.error();
  return collect(query);
}

Result<Rows> Connection::script(std::string_view sql) {
  if (auto sent = send_script(sql); !sent.ok()) return sent.error();
  return reply();
}

Status Connection::send_script(std::string_view sql) {
  if (broken_) return lost("the connection to PostgreSQL is closed");
  if (PQsendQuery(connection_, std::string(sql).c_str()) == 0) return lost("cannot send to PostgreSQL");
  return Ok{};
}

Result<Rows> Connection::reply() {
  return collect({});
}

Result<std::vector<Rows>> Connection::pipeline(std::span<const Statement> statements) {
  if (broken_) return lost("the connection to PostgreSQL is closed");
  PQenterPipelineMode(connection_);
  for (const Statement& statement : statements) {
    if (auto sent = send(statement); !sent.ok()) return sent.error();
  }
  std::vector<Rows> rows;
  if (auto done = finish_pipeline(rows, statements.size()); !done.ok()) return done.error();
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].set_statement(statements[i].name);
  return rows;
}

void Connection::shut() {
  broken_ = true;
}

Status Connection::send(const Statement& statement) {
  if (broken_) return lost("the connection to PostgreSQL is closed");
  const ParamPointers p(statement.params);
  const std::string name(statement.name);
  const int sent = statement.text ? PQsendQueryParams(connection_, name.c_str(), p.count(), nullptr,
                                                      p.values.data(), p.lengths.data(), p.formats.data(), 1)
                                  : PQsendQueryPrepared(connection_, name.c_str(), p.count(), p.values.data(),
                                                        p.lengths.data(), p.formats.data(), 1);
  if (sent == 0) return lost("cannot send to PostgreSQL");
  return Ok{};
}

// Reads what arrives while it sends. A server that waits to send its results reads nothing, so both sides
// would wait for each other.
Status Connection::flush(Deadline deadline) {
  for (;;) {
    const int pending = PQflush(connection_);
    if (pending == 0) return Ok{};
    if (pending < 0) return lost("cannot send to PostgreSQL");
    if (auto ready = wait(true, deadline); !ready.ok()) return ready;
    if (PQconsumeInput(connection_) == 0) return lost("the connection to PostgreSQL was lost");
  }
}

Status Connection::wait(bool for_write, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return lost("PostgreSQL gave no reply in time");
    if (given_up_ && *given_up_) return lost("nobody waits for PostgreSQL's reply any more");
    pollfd watch{PQsocket(connection_), static_cast<short>(for_write ? POLLIN | POLLOUT : POLLIN), 0};
    const Millis patience = given_up_ ? std::min<Millis>(left, kGlance) : left;
    const int ready = ::poll(&watch, 1, static_cast<int>(patience.count()));
    if (ready > 0) return Ok{};
    if (ready < 0 && errno != EINTR) return lost("the connection to PostgreSQL was lost");
  }
}

// nullptr at the end of one statement's results.
Result<pg_result*> Connection::next_result(Deadline deadline) {
  while (PQisBusy(connection_) != 0) {
    if (auto ready = wait(false, deadline); !ready.ok()) return ready.error();
    // A connection that the server closed may still hold results; PQgetResult then answers the error.
    if (PQconsumeInput(connection_) == 0) break;
  }
  return PQgetResult(connection_);
}

// The last result of what was sent, or its first error.
Result<Rows> Connection::collect(std::string_view statement) {
  const Deadline deadline = std::chrono::steady_clock::now() + reply_timeout_;
  if (auto sent = flush(deadline); !sent.ok()) return sent.error();
  std::optional<Error> failure;
  Rows last;
  for (;;) {
    auto result = next_result(deadline);
    if (!result.ok()) return failure.value_or(result.error());
    if (*result == nullptr) break;
    Rows rows(*result);
    const ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
      last = std::move(rows);
    } else if (!failure) {
      failure = error_of(*result);
    }
  }
  if (failure) return *failure;
  if (PQstatus(connection_) != CONNECTION_OK) return lost("the connection to PostgreSQL was lost");
  last.set_statement(statement);
  return last;
}

Status Connection::finish_pipeline(std::vector<Rows>& rows, std::size_t expected) {
  const Deadline deadline = std::chrono::steady_clock::now() + reply_timeout_;
  if (PQpipelineSync(connection_) == 0) return lost("cannot send to PostgreSQL");
  if (auto sent = flush(deadline); !sent.ok()) return sent;
  std::optional<Error> failure;
  rows.reserve(expected);
  for (;;) {
    auto result = next_result(deadline);
    if (!result.ok()) return failure.value_or(result.error());
    if (*result == nullptr) {
      if (PQstatus(connection_) != CONNECTION_OK) {
        return failure.value_or(lost("the connection to PostgreSQL was lost"));
      }
      continue;
    }
    Rows held(*result);
    const ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      rows.push_back(std::move(held));
    } else if (status != PGRES_PIPELINE_ABORTED && !failure) {
      failure = error_of(*result);
      if (broken_) return *failure;
    }
  }
  if (PQexitPipelineMode(connection_) == 0) return lost("PostgreSQL's pipeline did not end");
  if (failure) return *failure;
  if (rows.size() != expected) return lost("PostgreSQL answered fewer statements than were sent");
  return Ok{};
}

Error Connection::lost(std::string why) {
  broken_ = true;
  // libpq's own message names sockets and hosts. It goes into the detail, which the log shows and clients do
  // not see.
  return Error{
      Errc::unavailable, std::move(why), {}, without_passwords(trim(PQerrorMessage(connection_))), 1};
}

Error Connection::error_of(const pg_result* result) {
  const std::string state = field(result, PG_DIAG_SQLSTATE);
  const std::string severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == "FATAL" || severity == "PANIC" || PQstatus(connection_) != CONNECTION_OK) {
    return lost("PostgreSQL ended the session");
  }
  std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (const std::string more = field(result, PG_DIAG_MESSAGE_DETAIL); !more.empty()) message += ": " + more;
  // A row of a day without a table goes into the table for all days. If the table of its day is made
  // meanwhile, the row fails a check that has no name. No value in it is wrong, so it is worth another try.
  const bool between_tables = state == "23514" && field(result, PG_DIAG_CONSTRAINT_NAME).empty();
  const Errc code = between_tables ? Errc::unavailable : errc_of(state);
  return Error{code, "PostgreSQL: " + message, {}, state, code == Errc::unavailable ? 1 : 0};
}

}  // namespace drover::postgres
