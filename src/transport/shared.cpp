#include "shared.hpp"

#include "drover/base/clock.hpp"

#include "connection.hpp"

namespace drover::transport {

bool Shared::has_room() const {
  const std::lock_guard lock(mutex_);
  return connections_.size() < options.max_connections;
}

bool Shared::make_room() {
  const SteadyTime now = SystemClock{}.steady();
  std::shared_ptr<Connection> idlest;
  std::optional<SteadyTime> since;
  for (auto& connection : connections()) {
    const std::optional<SteadyTime> idle = connection->idle_since(now);
    if (!idle || (since && *since <= *idle)) continue;
    since = idle;
    idlest = connection;
  }
  if (idlest != nullptr) idlest->give_way();
  return idlest != nullptr;
}

bool Shared::add(const std::shared_ptr<Connection>& connection) {
  const std::lock_guard lock(mutex_);
  if (stopping_.load()) return false;
  connections_.emplace(connection.get(), connection);
  return true;
}

void Shared::remove(const Connection* connection) {
  const std::lock_guard lock(mutex_);
  connections_.erase(connection);
  if (connections_.empty()) emptied_.notify_all();
}

std::vector<std::shared_ptr<Connection>> Shared::begin_stopping() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true);
  }
  return connections();
}

std::vector<std::shared_ptr<Connection>> Shared::connections() const {
  std::vector<std::shared_ptr<Connection>> all;
  const std::lock_guard lock(mutex_);
  all.reserve(connections_.size());
  for (const auto& [key, weak] : connections_) {
    if (std::shared_ptr<Connection> connection = weak.lock()) all.push_back(std::move(connection));
  }
  return all;
}

bool Shared::wait_until_empty(Millis time) const {
  std::unique_lock lock(mutex_);
  return emptied_.wait_for(lock, time, [this] { return connections_.empty(); });
}

}  // namespace drover::transport
