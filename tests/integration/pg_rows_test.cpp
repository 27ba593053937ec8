#include <set>

#include <gmock/gmock.h>
#include <libpq-fe.h>

#include "drover/base/check.hpp"
#include "drover/postgres/embedded.hpp"
#include "drover/postgres/inspect.hpp"

#include "pg_fixture.hpp"
#include "postgres/connection.hpp"
#include "postgres/rows.hpp"

namespace drover::testing {
namespace {

// The columns of a row are read by their names. A statement may list them in any order, and one that it
// forgets is told by its name.
class PgRows : public PgTest {
 protected:
  void SetUp() override {
    postgres::SessionOptions session;
    session.conninfo = Secret(conninfo_);
    auto opened = postgres::Connection::open(session);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    connection_ = std::move(*opened);
  }

  // The rows of any text, in the binary format that the readers expect. They carry the text as their
  // statement.
  postgres::Rows rows(std::string_view text) {
    const std::vector<postgres::Statement> one{{text, {}, true}};
    auto results = connection_->pipeline(one);
    EXPECT_TRUE(results.ok()) << results.error().message;
    return results.ok() ? std::move(results->front()) : postgres::Rows();
  }

  // What a defect's message says; empty: there was none.
  template <class F>
  static std::string defect_of(F&& read) {
    try {
      read();
    } catch (const CheckFailed& failed) {
      return failed.what();
    }
    return "";
  }

  std::unique_ptr<postgres::Connection> connection_;
};

TEST_F(PgRows, AreReadInAnyOrder) {
  const postgres::Rows found =
      rows("SELECT 7::bigint AS number, 'x' AS name, NULL::integer AS code, true AS kept");
  ASSERT_EQ(found.size(), 1);
  postgres::RowReader row = found[0];
  EXPECT_TRUE(row.get<bool>("kept"));
  EXPECT_EQ(row.get<std::string>("name"), "x");
  EXPECT_EQ(row.get<std::int64_t>("number"), 7);
  EXPECT_EQ(row.get<std::int64_t>("number"), 7) << "a column may be read twice";
  EXPECT_EQ(row.get<std::optional<int>>("code"), std::nullopt);
  EXPECT_EQ(row.get<int>("code"), 0) << "NULL reads as the default";
}

TEST_F(PgRows, OfOneShapeComeFromStatementsThatOrderThemOtherwise) {
  sql(R"(INSERT INTO pool (name, spec, version, blocked_reason, changed_at) VALUES ('p', '{}', 5, 'quota', now()))");
  const auto pool = postgres::read_first(
      rows("SELECT blocked_reason, name, spec, version, changed_at, id FROM pool"), postgres::read_pool);
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->id, PoolId{1});
  EXPECT_EQ(pool->version, 5);
  EXPECT_EQ(pool->blocked_reason, "quota");
}

TEST_F(PgRows, TellTheColumnThatTheirStatementForgot) {
  const std::string text = "SELECT 1::bigint AS id, ''::text AS blocked_reason, '{}'::text AS spec";
  const postgres::Rows found = rows(text);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(defect_of([&] { (void)postgres::read_pool(found[0]); }),
            "the rows of " + text + " have no column version; they have: id, blocked_reason, spec");
  postgres::RowReader row = found[0];
  EXPECT_NE(defect_of([&] { (void)row.get<int>("version"); }), "");
  EXPECT_EQ(row.get<std::int64_t>("id"), 1) << "what is there can still be read";
}

TEST_F(PgRows, TellTheNameOfTheStatementThatForgotAColumn) {
  const std::string message = "the rows of read_epoch have no column queue; they have: epoch";
  const auto once = connection_->run_once("read_epoch");
  ASSERT_TRUE(once.ok()) << once.error().message;
  EXPECT_EQ(defect_of([&] { (void)(*once)[0].get<std::string>("queue"); }), message);
  ASSERT_TRUE(connection_->prepare("read_").ok());
  const auto prepared = connection_->run("read_epoch");
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  EXPECT_EQ(defect_of([&] { (void)(*prepared)[0].get<std::string>("queue"); }), message);
}

TEST_F(PgRows, OfAnInspectionHaveAllThatIsTold) {
  const auto found = postgres::inspect(options(conninfo_));
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_GE(found->server_version, 150000);
  EXPECT_TRUE(found->fsync && found->full_page_writes && found->may_create);
  EXPECT_FALSE(found->standby || found->led);
  EXPECT_EQ(found->missing_migrations, 0);
  EXPECT_NE(found->deployment, Uuid{});
}

// A name that two columns share finds the wrong one sooner or later, and one that the server made up of an
// expression changes with the expression.
TEST_F(PgRows, HaveColumnsWithNamesOfTheirOwn) {
  static const std::set<std::string> kMadeUp{"?column?", "bool",   "case",   "coalesce",
                                             "count",    "exists", "nullif", "set_config"};
  const std::unique_ptr<PGconn, decltype(&PQfinish)> session(PQconnectdb(conninfo_.c_str()), &PQfinish);
  using Reply = std::unique_ptr<PGresult, decltype(&PQclear)>;
  int columns = 0;
  for (const auto& file : postgres::embedded_files()) {
    if (!file.path.starts_with("queries/")) continue;
    const Reply prepared(PQprepare(session.get(), "", std::string(file.text).c_str(), 0, nullptr), &PQclear);
    ASSERT_EQ(PQresultStatus(prepared.get()), PGRES_COMMAND_OK) << file.path << PQerrorMessage(session.get());
    const Reply described(PQdescribePrepared(session.get(), ""), &PQclear);
    std::set<std::string> names;
    for (int place = 0; place < PQnfields(described.get()); ++place, ++columns) {
      const std::string name = PQfname(described.get(), place);
      EXPECT_TRUE(names.insert(name).second) << file.path << " has two columns " << name;
      EXPECT_FALSE(kMadeUp.contains(name)) << file.path << ": column " << place + 1 << " has no name";
    }
  }
  EXPECT_GT(columns, 100) << "the statements were not found";
}

}  // namespace
}  // namespace drover::testing
