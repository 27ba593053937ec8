#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"
#include "drover/http/message.hpp"

namespace drover::api {

// What there is to know of a log that may still grow.
struct LogLook {
  std::string path;    // of its file; empty: nothing was written yet, or that could not be found out
  bool ended = false;  // the attempt has ended, so that the log is whole
};

// One reader of such a log.
struct LogFollower {
  JobNumber job;
  std::int64_t offset = 0;        // of the next byte that it gets
  std::function<LogLook()> look;  // blocks on the store
};

// Sends growing logs to those who follow them. One thread looks after all followers: it sends a piece only to
// those whose earlier pieces were taken, so that a slow reader holds up nobody and costs one piece of memory.
// Workers send their logs to this daemon, which calls grew() and ended(). An end that no worker reported (a
// lease that ran out) is found by looking at the attempt now and then. Thread-safe.
class LogFollowers {
 public:
  // `ask` runs a function that blocks on the store on another thread; false: it cannot now.
  explicit LogFollowers(std::function<bool(std::function<void()>)> ask);
  ~LogFollowers();  // stop()s
  LogFollowers(const LogFollowers&) = delete;
  LogFollowers& operator=(const LogFollowers&) = delete;

  // Sends to `stream` from now on, and ends it when the attempt has ended and its log was sent.
  void follow(LogFollower follower, http::Stream stream);
  void grew(JobNumber job);   // a log of this job
  void ended(JobNumber job);  // an attempt of this job
  void stop();                // streams that are open are broken, not ended: their logs are not whole

 private:
  struct Followed;
  enum class Next { wait, drain, drop };

  void run();
  static Next step(Followed& one);
  void look(const std::shared_ptr<Followed>& one);
  void mark(JobNumber job, bool ended);

  std::function<bool(std::function<void()>)> ask_;
  // Held by callbacks of streams and by looks under way too, so it may outlive this object.
  struct Wake {
    std::mutex mutex;
    std::condition_variable condition;
    std::list<std::shared_ptr<Followed>> followers;
    bool due = false;  // some follower is
    bool stopping = false;
  };
  std::shared_ptr<Wake> wake_ = std::make_shared<Wake>();
  std::thread thread_;
};

}  // namespace drover::api
