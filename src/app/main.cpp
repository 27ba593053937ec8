#include <cerrno>
#include <csignal>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <fcntl.h>

#include "drover/app/programs.hpp"
#include "drover/base/log.hpp"
#include "drover/cli/client.hpp"
#include "drover/cli/command_line.hpp"
#include "drover/cli/dev.hpp"
#include "drover/localcloud/local_cloud.hpp"
#include "drover/net/curl_client.hpp"

// Read by jemalloc when the program starts (its manual, TUNING). Memory that a flood of large requests needed
// is given back to the system ten seconds after its use, by a thread of the allocator's: without it an idle
// daemon would stay at its peak.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true";

namespace {

using namespace drover;

int migrate(const std::string& path) {
  const auto settings = app::load_settings(path);
  if (!settings.ok()) {
    std::cerr << "drover: " << settings.error().message << "\n";
    return 1;
  }
  set_log_level(settings->log.level, settings->log.json);
  return app::migrate(*settings);
}

int run(const cli::Command& command) {
  return std::visit(
      [](const auto& chosen) {
        using T = std::decay_t<decltype(chosen)>;
        if constexpr (std::is_same_v<T, cli::ServeCommand>) {
          return app::serve(chosen);
        } else if constexpr (std::is_same_v<T, cli::MigrateCommand>) {
          return migrate(chosen.config);
        } else if constexpr (std::is_same_v<T, cli::DoctorCommand>) {
          return app::doctor(chosen);
        } else if constexpr (std::is_same_v<T, cli::LocalCloudCommand>) {
          return app::local_cloud(chosen);
        } else if constexpr (std::is_same_v<T, cli::VersionCommand>) {
          std::cout << "drover " << DROVER_VERSION << "\n";
          return 0;
        } else {
          net::CurlHttpClient http;
          if constexpr (std::is_same_v<T, cli::DevCommand>) {
            return cli::run_dev(chosen, http);
          } else {
            return cli::run_client(chosen, http, std::cout, std::cerr);
          }
        }
      },
      command);
}

// If the caller left a standard descriptor closed, the next socket or file would get its number, and what is
// printed would be written into it. So the closed ones are opened; standard output in a way that every write
// fails, so that the exit status tells of it.
void hold_standard_descriptors() {
  for (const auto& [fd, mode] : {std::pair{0, O_RDONLY}, std::pair{1, O_RDONLY}, std::pair{2, O_WRONLY}}) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", mode);
  }
}

// The exit status of a program that ended with `status`: 1 in place of 0 when its output could not be
// written.
int printed(int status) {
  if (status != 0) return status;
  errno = 0;
  if (std::cout.flush()) return 0;
  std::cerr << "drover: " << cli::write_error(errno) << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_descriptors();
  // A write to a peer or reader that went away must fail, not end this process.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    // The supervisor of a local instance. It is not for people, so it is not among the documented
    // subcommands.
    if (argc > 1 && std::string_view(argv[1]) == localcloud::kSupervisorSubcommand) {
      const std::vector<std::string> args(argv + 2, argv + argc);
      return localcloud::run_instance_supervisor(args);
    }
    const auto parsed = cli::parse_command_line(argc, argv);
    if (const int* status = std::get_if<int>(&parsed)) return printed(*status);
    return printed(run(std::get<cli::Command>(parsed)));
  } catch (const std::exception& error) {
    std::cerr << "drover: " << error.what() << "\n";
    return 1;
  }
}
