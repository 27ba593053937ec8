#include "writer_thread.hpp"

#include <algorithm>
#include <utility>

#include "drover/base/check.hpp"
#include "drover/base/thread_name.hpp"

namespace drover::engine {

void WriterThread::start() {
  thread_ = std::thread([this] { run(); });
}

void WriterThread::put(Order order) {
  const std::lock_guard lock(mutex_);
  DROVER_CHECK(!order_, "an order is given while another waits");
  order_ = std::move(order);
  changed_.notify_one();
}

void WriterThread::resign(std::string why) {
  const std::lock_guard lock(mutex_);
  resignation_ = std::move(why);
  changed_.notify_one();
}

void WriterThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void WriterThread::run() {
  name_thread("writer");
  while (true) {
    std::optional<Order> order;
    std::optional<std::string> resignation;
    writer_.get_on();
    {
      std::unique_lock lock(mutex_);
      // A second at most, so that the writer is seen to get on.
      const auto wait = std::min<SteadyTime::duration>(writer_.due() - writer_.now(), Seconds{1});
      if (wait > SteadyTime::duration::zero())
        changed_.wait_for(lock, wait, [this] { return order_ || resignation_ || stopping_; });
      order = std::exchange(order_, std::nullopt);
      resignation = std::exchange(resignation_, std::nullopt);
      if (!order && !resignation && stopping_) break;
    }
    if (order) {
      writer_.carry_out(std::move(*order));
    } else if (!resignation) {
      writer_.turn();
    }
    if (resignation) writer_.resign(*resignation);
  }
  writer_.resign("the daemon is stopping");
}

}  // namespace drover::engine
