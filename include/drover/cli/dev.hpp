#pragma once

#include "drover/cli/command_line.hpp"
#include "drover/ports/http_client.hpp"

namespace drover::cli {

// `drover dev`: supervises a private PostgreSQL, the local cloud and the daemon (both of this very
// executable) until SIGINT or SIGTERM, or runs the demonstration and stops. Prints to standard output.
// Returns the exit status. Call it from the main thread, before there are others: it blocks those signals,
// and its children end with that thread.
int run_dev(const DevCommand& command, ports::HttpClient& http);

}  // namespace drover::cli
