#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include "drover/memstore/mem_store.hpp"

#include "pg_fixture.hpp"
#include "store_case.hpp"

// The two stores that must do alike: PostgreSQL, and the one in memory that stands for it in the tests of the
// layers above.
namespace drover::testing {

class InPostgres : public PgTest {
 protected:
  // Another leader has begun a term, and this one does not know.
  void depose() { sql("UPDATE leader SET epoch = epoch + 1"); }
  std::int64_t events() { return std::stoll(value("SELECT count(*) FROM event")); }
};

class InMemory : public ::testing::Test {
 protected:
  void depose() { memory_->end_leader(); }
  std::int64_t events() { return memory_->events(); }

  std::unique_ptr<memstore::MemStore> owned_ = std::make_unique<memstore::MemStore>();
  memstore::MemStore* memory_ = owned_.get();
  std::unique_ptr<ports::Store> store_ = std::move(owned_);
};

struct BackendNames {
  template <class Backend>
  static std::string GetName(int) {
    return std::is_same_v<Backend, InPostgres> ? "Postgres" : "Memory";
  }
};
using Backends = ::testing::Types<InPostgres, InMemory>;

}  // namespace drover::testing
