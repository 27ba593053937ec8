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
// Checks the configuration and all that it points to: a line a check, with a remedy of its own where it
// fails, and in the end what to type next. Changes nothing, neither here nor in the database nor in the
// cloud. 1 when anything fails.
int doctor(const cli::DoctorCommand& command);
// The local cloud, printing one JSON line when it is ready.
int local_cloud(const cli::LocalCloudCommand& command);

}  // namespace drover::app
