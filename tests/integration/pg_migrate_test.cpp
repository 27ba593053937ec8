#include <algorithm>
#include <future>

#include "drover/postgres/embedded.hpp"

#include "pg_fixture.hpp"
#include "postgres/migrator.hpp"

namespace drover::testing {
namespace {

using postgres::Connection;
using postgres::EmbeddedFile;

class PgMigrate : public ::testing::Test {
 protected:
  std::unique_ptr<ports::Store> store() const {
    postgres::PgOptions options;
    options.conninfo = Secret(conninfo_);
    return postgres::make_pg_store(options);
  }
  Result<int> migrate(const std::vector<EmbeddedFile>& files) const {
    postgres::SessionOptions session;
    session.conninfo = Secret(conninfo_);
    auto connection = Connection::open(session);
    if (!connection.ok()) return connection.error();
    return postgres::migrate(**connection, files);
  }
  std::string value(const std::string& sql) const {
    const auto rows = PgCluster::get().query(conninfo_, sql);
    return rows.empty() ? "" : rows.front();
  }

  std::string conninfo_ = PgCluster::get().create_database(false);
};

TEST_F(PgMigrate, AppliesWhatIsMissingAndNothingTwice) {
  const auto files = postgres::embedded_files();
  const auto known = std::count_if(files.begin(), files.end(), [](const EmbeddedFile& file) {
    return file.path.starts_with("migrations/");
  });
  EXPECT_EQ(*store()->migrate(), known);
  const std::string deployment = value("SELECT id || secret FROM deployment");
  EXPECT_EQ(deployment.size(), 36U + 64U);
  EXPECT_EQ(*store()->migrate(), 0);
  EXPECT_EQ(value("SELECT id || secret FROM deployment"), deployment);
  EXPECT_EQ(value("SELECT count(*) FROM schema_migrations"), std::to_string(known));
}

TEST_F(PgMigrate, CheckpointsKeptAsArtifactsAreFoundAndListed) {
  std::vector<EmbeddedFile> first;
  for (const EmbeddedFile& file : postgres::embedded_files()) {
    if (!file.path.starts_with("migrations/") || file.path.starts_with("migrations/0001"))
      first.push_back(file);
  }
  ASSERT_TRUE(migrate(first).ok());
  value(
      "INSERT INTO artifact (number, name, attempt, size, sha256, created_at) "
      "SELECT 7, name, attempt, 10 * attempt, sha256(''), now() "
      "FROM unnest(ARRAY['checkpoint.tar.gz', 'other']) name, generate_series(1, 2) attempt");
  const auto upgraded = store();
  ASSERT_TRUE(upgraded->migrate().ok());
  const auto found = *upgraded->artifact(JobNumber{7}, ports::kCheckpointName);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->attempt, 2);
  EXPECT_EQ(found->size, 20);
  const auto listed = *upgraded->artifacts(JobNumber{7}, "", 100);
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].name, "checkpoint.tar.gz");
}

TEST_F(PgMigrate, TwoAtOnceOnAnEmptyDatabaseBothComeUp) {
  auto one = std::async(std::launch::async, [&] { return store()->migrate(); });
  auto two = std::async(std::launch::async, [&] { return store()->migrate(); });
  const auto first = one.get();
  const auto second = two.get();
  ASSERT_TRUE(first.ok()) << first.error().message;
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(std::min(*first, *second), 0);
  EXPECT_GT(std::max(*first, *second), 0);
  EXPECT_EQ(value("SELECT count(*) FROM deployment"), "1");
}

TEST_F(PgMigrate, RefusesANewerOrAnEditedDatabaseAndLeavesItAlone) {
  const std::vector<EmbeddedFile> one{{"migrations/0001_a.sql", "CREATE TABLE a (x int)"}};
  std::vector<EmbeddedFile> two = one;
  two.push_back({"migrations/0002_b.sql", "CREATE TABLE b (x int)"});
  // The identity's table comes with the real first migration.
  ASSERT_EQ(value("CREATE TABLE deployment (id uuid, secret text)"), "");
  ASSERT_TRUE(migrate(two).ok());
  const auto newer = migrate(one);
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.error().code, Errc::conflict);
  EXPECT_NE(newer.error().message.find("newer version (migration 2 0002_b.sql)"), std::string::npos);
  two[1].text = "CREATE TABLE b (y int)";
  const auto edited = migrate(two);
  ASSERT_FALSE(edited.ok());
  EXPECT_EQ(edited.error().code, Errc::conflict);
  EXPECT_NE(edited.error().message.find("0002_b.sql"), std::string::npos);
}

TEST_F(PgMigrate, AFailingMigrationLeavesNothingOfItself) {
  ASSERT_EQ(value("CREATE TABLE deployment (id uuid, secret text)"), "");
  const auto failed = migrate({{"migrations/0001_a.sql", "CREATE TABLE a (x int); SELECT 1/0"}});
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("0001_a.sql failed: PostgreSQL: division by zero"),
            std::string::npos);
  EXPECT_EQ(value("SELECT count(*) FROM pg_class WHERE relname = 'a'"), "0");
  EXPECT_EQ(value("SELECT count(*) FROM schema_migrations"), "0");
}

TEST_F(PgMigrate, NobodyLeadsADatabaseWithoutTheSchema) {
  const auto led = store()->lead();
  ASSERT_FALSE(led.ok());
  EXPECT_EQ(led.error().code, Errc::conflict);
  EXPECT_NE(led.error().message.find("migrate it first"), std::string::npos);
}

}  // namespace
}  // namespace drover::testing
