#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "drover/postgres/pg_store.hpp"

namespace drover::testing {

// A private PostgreSQL of this test program: Unix socket only, fsync on, in a directory of its own under
// /tmp, ended and removed with the program. Started by root it runs as `postgres`, which initdb asks for.
// Made when first asked for.
class PgCluster {
 public:
  static PgCluster& get();
  PgCluster();
  ~PgCluster();
  PgCluster(const PgCluster&) = delete;
  PgCluster& operator=(const PgCluster&) = delete;

  // A new database; `migrated`: a copy of one that has the schema. Its libpq connection string.
  std::string create_database(bool migrated = true);
  // kill -9 of the whole server, and its start again.
  void crash();
  void start();
  // As psql would: every value of every row, '|' between columns. Fails the test on an error.
  std::vector<std::string> query(const std::string& conninfo, const std::string& sql);

 private:
  std::string conninfo(const std::string& database) const;
  void run(const std::vector<std::string>& command) const;
  std::vector<std::string> as_owner(std::vector<std::string> command) const;

  std::string directory_;
  std::string user_;
  bool root_ = false;
  int pid_ = 0;
  int databases_ = 0;
  bool template_made_ = false;
};

// One database a test.
class PgTest : public ::testing::Test {
 protected:
  static postgres::PgOptions options(const std::string& conninfo) {
    postgres::PgOptions out;
    out.conninfo = Secret(conninfo);
    return out;
  }
  std::vector<std::string> sql(const std::string& text) { return PgCluster::get().query(conninfo_, text); }
  // The first value of the first row; empty when there is none.
  std::string value(const std::string& text) {
    const auto rows = sql(text);
    return rows.empty() ? "" : rows.front();
  }

  std::string conninfo_ = PgCluster::get().create_database();
  std::unique_ptr<ports::Store> store_ = postgres::make_pg_store(options(conninfo_));
};

}  // namespace drover::testing
