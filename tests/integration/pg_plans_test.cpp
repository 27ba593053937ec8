#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include <libpq-fe.h>

#include "drover/postgres/embedded.hpp"

#include "pg_fixture.hpp"
#include "postgres/connection.hpp"

namespace drover::testing {
namespace {

// The plans of all prepared statements, as their sessions get them, against golden/plans.txt.
// DROVER_UPDATE_GOLDEN=1 writes that file anew.
class PgPlans : public PgTest {
 protected:
  struct Closer {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Reply = std::unique_ptr<PGresult, Closer>;

  void SetUp() override {
    session_.reset(PQconnectdb(conninfo_.c_str()));
    const char* const settings[] = {"0", "0", "off"};
    const std::string text(postgres::query_text("admin_session"));
    const Reply set(PQexecParams(session_.get(), text.c_str(), 3, nullptr, settings, nullptr, nullptr, 0));
    ASSERT_EQ(PQresultStatus(set.get()), PGRES_TUPLES_OK) << PQerrorMessage(session_.get());
  }

  // Two fixed days, so that the names of partitions do not change.
  void fill() {
    sql("SELECT make_partitions('2030-01-01'), make_partitions('2030-01-02')");
    sql(R"(INSERT INTO pool (name, spec, changed_at) VALUES ('p', '{}', now()))");
    sql(R"(INSERT INTO launch (pool, created_at, changed_at, client_token, bootstrap_hash, reason, request, state)
           SELECT 1, now(), now(), 't' || n, sha256(n::text::bytea), '', '{}', 'closed' FROM generate_series(1, 500) n)");
    sql(R"(INSERT INTO worker (pool, launch, created_at, slots, instance_id, state, ended_at)
           SELECT 1, n, now(), 4, 'i-' || n, CASE WHEN n < 450 THEN 'gone' ELSE 'starting' END,
                  CASE WHEN n < 450 THEN now() END
             FROM generate_series(1, 500) n)");
    sql(R"(INSERT INTO jobs (number, finished_at, created_at, wake_at, timeout_s, backoff_s, cpus, mem_mib, disk_mib, id,
                             gpus, rank, max_attempts, state, queue, name, owner, task)
           SELECT n,
                  CASE WHEN n % 2 = 0 THEN 'infinity' ELSE '2030-01-01 12:00+00'::timestamptz + n % 2 * interval '1 day' END,
                  now(), CASE WHEN n % 20 = 0 THEN now() END, 0, 5, 1, 0, 0, gen_random_uuid(), 0, n % 3, 1,
                  CASE WHEN n % 2 = 1 THEN CASE WHEN n % 10 = 1 THEN 'failed' ELSE 'succeeded' END
                       WHEN n % 100 = 2 THEN 'held' ELSE 'queued' END,
                  'q' || n % 7, 'n' || n % 1000, '', '{}'
             FROM generate_series(1, 40000) n)");
    sql(R"(INSERT INTO lease (number, worker, started_at, attempt, nonce, token_hash)
           SELECT n, 450 + n % 50, now(), 1, '', sha256('') FROM generate_series(4, 4000, 20) n)");
    sql(R"(INSERT INTO attempt (number, worker, started_at, ended_at, attempt, outcome, reason, token_hash)
           SELECT n, 1, now(), '2030-01-01 12:00+00', 1, 'succeeded', '', sha256('') FROM generate_series(1, 20000) n)");
    sql(R"(INSERT INTO event (id, at, epoch, kind)
           SELECT n, '2030-01-02 12:00+00', 1, 'submitted' FROM generate_series(1, 20000) n)");
    sql(R"(INSERT INTO artifact (number, name, attempt, size, sha256, created_at)
           SELECT n, 'checkpoint.tar.gz', 1, 0, sha256(''), now() FROM generate_series(1, 5000) n)");
    sql("ANALYZE");
  }

  std::string plan(const std::string& name, const std::string& text) {
    const Reply prepared(PQprepare(session_.get(), name.c_str(), text.c_str(), 0, nullptr));
    EXPECT_EQ(PQresultStatus(prepared.get()), PGRES_COMMAND_OK)
        << name << ": " << PQerrorMessage(session_.get());
    const Reply described(PQdescribePrepared(session_.get(), name.c_str()));
    std::string arguments;
    for (int i = 0; i < PQnparams(described.get()); ++i) arguments += i == 0 ? "(NULL" : ", NULL";
    if (!arguments.empty()) arguments += ")";
    const Reply rows(PQexec(session_.get(), ("EXPLAIN (COSTS OFF) EXECUTE " + name + arguments).c_str()));
    EXPECT_EQ(PQresultStatus(rows.get()), PGRES_TUPLES_OK) << name << ": " << PQerrorMessage(session_.get());
    std::string out;
    for (int row = 0; row < PQntuples(rows.get()); ++row)
      out.append(PQgetvalue(rows.get(), row, 0)).append("\n");
    const Reply gone(PQexec(session_.get(), ("DEALLOCATE " + name).c_str()));
    return out;
  }

  // Every statement that sessions prepare; "" where one breaks a property.
  std::string all_plans() {
    static const std::regex kWalk("Seq Scan on (jobs|attempt|lease|event|artifact|job_label)");
    static const std::regex kGrows(" on (jobs|lease|attempt|artifact)");
    static const std::regex kTurned("Hash Join|Merge Join|Join Filter|Materialize");
    // An index whose first column is not bound is walked whole.
    static const std::regex kWholeIndex(
        R"((_name|_queue|_state)\w* on jobs\w* \w+\n *Index Cond: \(+(number|state) [^,]*\n)");
    std::string out;
    for (const auto& file : postgres::embedded_files()) {
      constexpr std::string_view kFolder = "queries/";
      if (!file.path.starts_with(kFolder)) continue;
      const std::string name(file.path.substr(kFolder.size(), file.path.size() - kFolder.size() - 4));
      if (name.starts_with("admin_") || name.starts_with("count_"))
        continue;  // walks all there is, on purpose
      const std::string text = plan(name, std::string(file.text));
      EXPECT_FALSE(std::regex_search(text, kWalk)) << name << "\n" << text;
      EXPECT_FALSE(std::regex_search(text, kWholeIndex)) << name << "\n" << text;
      // At boot the plans are made for the tables as they are.
      const bool grows = std::regex_search(text, kGrows) && !name.starts_with("write_boot");
      EXPECT_FALSE(grows && std::regex_search(text, kTurned)) << name << "\n" << text;
      out += "== " + name + "\n" + text + "\n";
    }
    return out;
  }

  std::unique_ptr<PGconn, Closer> session_;
};

TEST_F(PgPlans, EveryStatementIsPreparedAndSearchesNothingOnEmptyTables) {
  EXPECT_NE(all_plans().find("== write_claim\n"), std::string::npos);
}

TEST_F(PgPlans, AreTheGoldenOnesOnFullTables) {
  fill();
  const std::string plans = all_plans();
  const std::string path = std::string(DROVER_SOURCE_DIR) + "/tests/integration/golden/plans.txt";
  if (std::getenv("DROVER_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << plans;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(plans, golden.str()) << "DROVER_UPDATE_GOLDEN=1 writes " << path << " anew; read what changed";
}

}  // namespace
}  // namespace drover::testing
