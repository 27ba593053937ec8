#pragma once

#include "drover/ports/admin.hpp"
#include "drover/ports/leader_session.hpp"
#include "drover/ports/reads.hpp"

namespace drover::ports {

// All interfaces to one database. Code that needs one of them takes that one alone.
class Store : public Leadership, public Reads, public Admin {};

}  // namespace drover::ports
