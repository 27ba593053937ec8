#pragma once

#include <cstdint>

namespace drover::app {

// How many of `wanted` connections the process's limit of open files allows. The limit is first raised as far
// as the system lets it. The rest is kept for the database, the cloud, files and standby places of the
// server; a reduction is logged.
std::int64_t allowed_connections(std::int64_t wanted, int read_connections);

}  // namespace drover::app
