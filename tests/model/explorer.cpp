#include "explorer.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>

namespace drover::model {
namespace {

using Id = std::uint32_t;
constexpr Id kNone = std::numeric_limits<Id>::max();

// The worlds seen so far, numbered in the order of their finding, each with the one it was found from.
class Worlds {
 public:
  Worlds() : table_(1U << 16U) {}

  // Its number. Of worlds that differ only in the faults that may still happen, one found before that has
  // more to come stands for those with fewer: whatever can happen in them can happen in it.
  Id add(const Packed& world, Id from) {
    if (worlds_.size() * 2 > table_.size()) grow();
    const std::size_t hash = hash_of(world);
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    std::size_t place = hash & (table_.size() - 1);
    for (; table_[place].id != kNone; place = next(place)) {
      if (table_[place].tag != tag) continue;
      const Packed& known = worlds_[table_[place].id];
      if (known[kFaultsAt] >= world[kFaultsAt] && same_but_faults(known, world)) return table_[place].id;
    }
    const auto id = static_cast<Id>(worlds_.size());
    table_[place] = {id, tag};
    worlds_.push_back(world);
    from_.push_back(from);
    return id;
  }
  [[nodiscard]] const Packed& at(Id id) const { return worlds_[id]; }
  [[nodiscard]] Id from(Id id) const { return from_[id]; }
  [[nodiscard]] std::size_t size() const { return worlds_.size(); }

 private:
  // `tag`: half of the world's hash, so that few other worlds need be looked at.
  struct Place {
    Id id = kNone;
    std::uint32_t tag = 0;
  };
  static bool same_but_faults(const Packed& a, const Packed& b) {
    return std::equal(a.begin(), a.begin() + kFaultsAt, b.begin()) &&
           std::equal(a.begin() + kFaultsAt + 1, a.end(), b.begin() + kFaultsAt + 1);
  }
  static std::size_t hash_of(Packed world) {
    world[kFaultsAt] = 0;
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(world.data()), world.size()});
  }
  [[nodiscard]] std::size_t next(std::size_t place) const { return (place + 1) & (table_.size() - 1); }
  void grow() {
    table_.assign(table_.size() * 2, {});
    for (Id id = 0; id < worlds_.size(); ++id) {
      const std::size_t hash = hash_of(worlds_[id]);
      std::size_t place = hash & (table_.size() - 1);
      while (table_[place].id != kNone) place = next(place);
      table_[place] = {id, static_cast<std::uint32_t>(hash >> 32U)};
    }
  }

  std::vector<Packed> worlds_;
  std::vector<Id> from_;
  std::vector<Place> table_;  // open addressing
};

bool at_rest(const World& world) {
  return !in_flight(world) && std::all_of(world.jobs.begin(), world.jobs.end(), [](const Job& job) {
    return core::is_final(job.stored) || (job.stored == core::JobState::held && !job.lease.open);
  });
}

// The steps to a world, and the one after it that breaks a predicate, told with the machines' names of the
// first step on: the worlds kept may have them changed about.
std::vector<std::string> history(const Worlds& worlds, Id last, Bug bug, const char* broken_next) {
  std::vector<Id> path;
  for (Id id = last; id != 0; id = worlds.from(id)) path.push_back(id);
  std::reverse(path.begin(), path.end());
  std::vector<std::string> out;
  World now = unpack(worlds.at(0));
  Moves moves(bug);
  for (const Id id : path) {
    bool found = false;
    World next;
    moves.each(now, [&](const Move& move, const World& after, const char*) {
      if (found || pack(after) != worlds.at(id)) return;
      found = true;
      next = after;
      out.push_back(describe(move));
    });
    now = next;
  }
  moves.each(now, [&, told = false](const Move& move, const World&, const char* broken) mutable {
    if (told || broken == nullptr || broken != broken_next) return;
    told = true;
    out.push_back(describe(move));
  });
  return out;
}

// Which worlds cannot come to rest by fair moves: searched backwards from those at rest.
std::vector<bool> restless(const Worlds& worlds, const std::vector<std::pair<Id, Id>>& fair) {
  // The worlds that lead to a world, side by side: those of the next begin where its own end.
  std::vector<std::size_t> begins(worlds.size() + 1, 0);
  for (const auto& [to, from] : fair) ++begins[to + 1];
  for (std::size_t id = 1; id < begins.size(); ++id) begins[id] += begins[id - 1];
  std::vector<Id> leads(fair.size());
  std::vector<std::size_t> next(begins.begin(), begins.end() - 1);
  for (const auto& [to, from] : fair) leads[next[to]++] = from;

  std::vector<bool> stuck(worlds.size(), true);
  std::vector<Id> reached;
  for (Id id = 0; id < worlds.size(); ++id) {
    if (!at_rest(unpack(worlds.at(id)))) continue;
    stuck[id] = false;
    reached.push_back(id);
  }
  while (!reached.empty()) {
    const Id to = reached.back();
    reached.pop_back();
    for (std::size_t edge = begins[to]; edge < begins[to + 1]; ++edge) {
      if (!stuck[leads[edge]]) continue;
      stuck[leads[edge]] = false;
      reached.push_back(leads[edge]);
    }
  }
  return stuck;
}

}  // namespace

Exploration explore(Bug bug, int faults, std::size_t most) {
  Exploration out;
  Worlds worlds;
  Moves moves(bug);
  std::vector<std::pair<Id, Id>> fair;  // to, from
  worlds.add(pack(first_world(faults)), kNone);
  Id depth_ends = 1;  // the first world of the next depth
  for (Id id = 0; id < worlds.size() && worlds.size() < most && out.finding.predicate.empty(); ++id) {
    if (id == depth_ends) {
      ++out.depth;
      depth_ends = static_cast<Id>(worlds.size());
    }
    moves.each(unpack(worlds.at(id)), [&](const Move& move, const World& after, const char* broken) {
      if (!out.finding.predicate.empty()) return;
      const Id next = worlds.add(pack(after), id);
      if (next != id) ++out.steps, out.kinds.insert(move.text);
      if (next != id && move.kind == Kind::fair) fair.emplace_back(next, id);
      if (broken != nullptr) {
        out.finding = {broken, history(worlds, id, bug, broken)};
      }
    });
    out.complete = id + 1 == worlds.size();
  }
  out.worlds = worlds.size();
  out.plans = moves.planner().questions();
  if (!out.finding.predicate.empty() || !out.complete) return out;
  const auto stuck = restless(worlds, fair);
  const auto first = std::find(stuck.begin(), stuck.end(), true);
  if (first != stuck.end()) {
    out.finding = {kAllEnd, history(worlds, static_cast<Id>(first - stuck.begin()), bug, nullptr)};
  }
  return out;
}

}  // namespace drover::model
