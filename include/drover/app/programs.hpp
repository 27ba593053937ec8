#pragma once

#include <string>

#include "drover/app/config.hpp"
#include "drover/cli/command_line.hpp"

namespace drover::app {

// Each runs a program to its end and returns the exit status. Call them from the main thread, before there
// are others.

// The daemon, until SIGTERM or SIGINT; SIGHUP has it read its configuration again. 1 when it cannot start, or
// finds a database that it must not touch.
int serve(const cli::ServeCommand& command);
// Brings the schema up to date and says what it did.
int migrate(const Settings& settings);
// Checks the configuration at `path` and all that it points to: a line a check, with a remedy where it fails.
// Changes nothing but an empty artifact directory. 1 when anything fails.
int doctor(const std::string& path);
// The local cloud, printing one JSON line when it is ready.
int local_cloud(const cli::LocalCloudCommand& command);

}  // namespace drover::app
