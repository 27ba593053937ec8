#pragma once

#include "drover/ports/admin.hpp"
#include "drover/ports/leader_session.hpp"
#include "drover/ports/reads.hpp"

namespace drover::ports {

// One database, by all its doors. Whoever needs one of them names that one alone.
class Store : public Leadership, public Reads, public Admin {};

}  // namespace drover::ports
