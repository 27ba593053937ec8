#include "count.hpp"

#include <atomic>
#include <utility>

namespace drover::postgres {
namespace {

class PgCount final : public ports::DepthCount {
 public:
  explicit PgCount(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {
    connection_->give_up_when(cancelled_);
  }

  // Counting reads all rows, so the planner may use what the session (admin_session.sql) forbids for queries
  // of a few.
  Status begin() override {
    auto done = connection_->script(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
        "SET LOCAL enable_seqscan = on;"
        "SET LOCAL enable_bitmapscan = on;"
        "SET LOCAL enable_hashjoin = on;"
        "SET LOCAL enable_sort = on");
    if (done.ok()) done = connection_->run_once("count_begin");
    if (!done.ok()) return done.error();
    return Ok{};
  }

  Result<std::vector<ports::QueueDepth>> result() override {
    auto rows = connection_->run_once("count_ready");
    if (!rows.ok()) return rows.error();
    std::vector<ports::QueueDepth> out;
    out.reserve(static_cast<std::size_t>(rows->size()));
    for (int r = 0; r < rows->size(); ++r) {
      ports::QueueDepth depth;
      (*rows)[r].read("queue", depth.queue).read("ready", depth.ready);
      out.push_back(std::move(depth));
    }
    return out;
  }

  void cancel() override { *cancelled_ = true; }

 private:
  std::unique_ptr<Connection> connection_;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

Result<std::unique_ptr<ports::DepthCount>> open_count(const SessionOptions& session) {
  auto connection = Connection::open(session);
  if (!connection.ok()) return connection.error();
  return std::unique_ptr<ports::DepthCount>(std::make_unique<PgCount>(std::move(*connection)));
}

}  // namespace drover::postgres
