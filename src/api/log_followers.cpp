#include "log_followers.hpp"

#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"

namespace drover::api {
namespace {

using std::chrono::steady_clock;

// How long a log may stand still before its attempt is looked at again, though no news of it came.
constexpr Seconds kIdleLook{5};

// The bytes of a file from `offset` on, at most one piece; nothing at its end, nullopt if it cannot be read.
std::optional<std::string> piece_of(const std::string& path, std::int64_t offset) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string piece(limits::kStreamPieceBytes, '\0');
  const ssize_t got = ::pread(fd, piece.data(), piece.size(), offset);
  ::close(fd);
  if (got < 0) return std::nullopt;
  piece.resize(static_cast<std::size_t>(got));
  return piece;
}

}  // namespace

// What the thread knows of a follower.
struct LogFollowers::Followed {
  Followed(LogFollower follower, http::Stream to) : of(std::move(follower)), stream(std::move(to)) {}
  LogFollower of;
  http::Stream stream;
  // Used by the thread alone: the latest look when the present step began, and when another is due even
  // without news.
  LogLook known;
  steady_clock::time_point look_at = steady_clock::now();
  // Guarded by Wake::mutex.
  LogLook found;
  bool due = true;       // step() is to be called
  bool look = true;      // look() is to ask anew
  bool looking = false;  // a look is under way
};

LogFollowers::LogFollowers(std::function<bool(std::function<void()>)> ask) : ask_(std::move(ask)) {
  thread_ = std::thread([this] {
    name_thread("followers");
    run();
  });
}

LogFollowers::~LogFollowers() {
  stop();
}

void LogFollowers::stop() {
  {
    const std::lock_guard lock(wake_->mutex);
    wake_->stopping = true;
  }
  wake_->condition.notify_all();
  if (thread_.joinable()) thread_.join();
  // Destroyed after the lock is released: the last copy of a stream calls its transport.
  std::list<std::shared_ptr<Followed>> dropped;
  const std::lock_guard lock(wake_->mutex);
  dropped.swap(wake_->followers);
}

void LogFollowers::follow(LogFollower follower, http::Stream stream) {
  auto one = std::make_shared<Followed>(std::move(follower), std::move(stream));
  {
    const std::lock_guard lock(wake_->mutex);
    if (wake_->stopping) return;
    wake_->followers.push_back(std::move(one));
    wake_->due = true;
  }
  wake_->condition.notify_all();
}

void LogFollowers::grew(JobNumber job) {
  mark(job, false);
}

void LogFollowers::ended(JobNumber job) {
  mark(job, true);
}

void LogFollowers::mark(JobNumber job, bool ended) {
  bool any = false;
  {
    const std::lock_guard lock(wake_->mutex);
    for (const auto& one : wake_->followers) {
      if (one->of.job != job) continue;
      any = one->due = true;
      one->look = one->look || ended || one->found.path.empty();
    }
    wake_->due = wake_->due || any;
  }
  if (any) wake_->condition.notify_all();
}

void LogFollowers::run() {
  std::unique_lock lock(wake_->mutex);
  while (!wake_->stopping) {
    wake_->condition.wait_for(lock, Seconds{1}, [this] { return wake_->due || wake_->stopping; });
    wake_->due = false;
    const auto now = steady_clock::now();
    std::vector<std::shared_ptr<Followed>> steps;
    for (const auto& one : wake_->followers) {
      const bool idle = now >= one->look_at;
      if (!one->due && !idle) continue;
      one->due = false;
      one->look = one->look || idle;
      one->known = one->found;
      steps.push_back(one);
    }
    lock.unlock();
    for (const auto& one : steps) {
      one->look_at = now + kIdleLook;
      const Next next = step(*one);
      if (next == Next::wait) look(one);
      const bool waits =
          next == Next::drain && one->stream.when_drained([wake = wake_, weak = std::weak_ptr(one)] {
            const auto drained = weak.lock();
            if (drained == nullptr) return;
            {
              const std::lock_guard guard(wake->mutex);
              drained->due = wake->due = true;
            }
            wake->condition.notify_all();
          });
      if (next == Next::wait || waits) continue;
      const std::lock_guard guard(wake_->mutex);
      wake_->followers.remove(one);
    }
    steps.clear();  // before the lock: the last copy of a stream calls its transport
    lock.lock();
  }
}

// Sends the next piece. `wait`: there is none yet. `drop`: nobody reads any more, or all was sent.
LogFollowers::Next LogFollowers::step(Followed& one) {
  if (!one.stream.open()) return Next::drop;
  if (one.stream.queued() > 0) return Next::drain;
  std::optional<std::string> piece = std::string();
  if (!one.known.path.empty()) piece = piece_of(one.known.path, one.of.offset);
  if (!piece) {
    log_warn("the log of job {} cannot be read for one who follows it", one.of.job.value);
    return Next::drop;
  }
  if (!piece->empty()) {
    one.of.offset += static_cast<std::int64_t>(piece->size());
    return one.stream.send(std::move(*piece)) ? Next::drain : Next::drop;
  }
  if (!one.known.ended) return Next::wait;
  one.stream.end();
  return Next::drop;
}

// Looks on another thread whether the attempt has ended, and steps once more when there is news.
void LogFollowers::look(const std::shared_ptr<Followed>& one) {
  {
    const std::lock_guard lock(wake_->mutex);
    if (!one->look || one->looking) return;
    one->look = false;
    one->looking = true;
  }
  const bool posted = ask_([wake = wake_, weak = std::weak_ptr(one)] {
    const auto looked = weak.lock();
    if (looked == nullptr) return;
    LogLook found = looked->of.look();
    {
      const std::lock_guard lock(wake->mutex);
      looked->looking = false;
      if (found.path.empty()) found.path = looked->found.path;
      found.ended = found.ended || looked->found.ended;
      const bool news = found.path != looked->found.path || found.ended != looked->found.ended;
      looked->found = std::move(found);
      if (!news && !looked->look) return;
      looked->due = wake->due = true;
    }
    wake->condition.notify_all();
  });
  if (posted) return;
  const std::lock_guard lock(wake_->mutex);
  one->looking = false;
  one->look = true;
}

}  // namespace drover::api
