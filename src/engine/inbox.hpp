#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"
#include "drover/ports/change.hpp"

#include "order.hpp"

namespace drover::engine {

struct Parts;

// A call's place in its lane, which counts it until the place is dropped: when the call is answered, or its
// change handed to the writer.
using Place = std::shared_ptr<void>;

// A call of the public interface, on its way to the engine's thread.
struct Call {
  std::function<void(Parts&, Place)> run;    // while leading
  std::function<void(const Error&)> refuse;  // otherwise; from any thread
  ports::Lane lane = ports::Lane::system;
  std::size_t bytes = 256;  // memory that it holds, roughly
  bool always = false;      // run() serves a standby too
  Place place = {};
};

// What reaches the engine's thread: calls, and what the writer has to tell. Thread-safe.
class Inbox {
 public:
  // Workers' calls, and those of all others, are bounded apart: each by so many, and by what they hold in
  // memory (limits::kChangeQueueBytes).
  explicit Inbox(std::size_t calls);

  // Refuses the call at once, in the caller's thread, when its lane is full or the inbox is closed.
  void post(Call call);
  void tell(News news);

  struct Mail {
    std::vector<News> news;
    std::vector<Call> calls;
    bool closed = false;
  };
  enum class Until {
    anything,  // comes
    news,      // comes, or calls have waited for some milliseconds
  };
  // All that has come, after waiting for at most `patience`. The closing counts as news, once. While the
  // engine's thread waits for news, a call does not wake it: the thread could not act on the call before the
  // news, and would pay a switch of threads for each one.
  Mail take(SteadyTime::duration patience, Until until = Until::anything);
  // Every later call is refused.
  void close();

 private:
  struct Load {
    std::size_t calls = 0;
    std::size_t bytes = 0;
  };
  struct Loads;
  [[nodiscard]] static std::size_t load_of(ports::Lane lane);

  const std::size_t limit_;
  std::shared_ptr<Loads> loads_;  // shared with places, which may outlive the inbox
  std::mutex mutex_;
  std::condition_variable changed_;
  Mail mail_;
  Until until_ = Until::anything;
  bool told_closed_ = false;
};

}  // namespace drover::engine
