#include "upkeep/chore.hpp"

namespace drover::engine {

Chores all_chores() {
  Chores out;
  out.push_back(make_expire());
  out.push_back(make_wake());
  out.push_back(make_flush());
  out.push_back(make_partitions());
  out.push_back(make_rescan());
  return out;
}

}  // namespace drover::engine
