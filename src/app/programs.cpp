#include "drover/app/programs.hpp"

#include <iostream>

#include <fmt/format.h>

#include "drover/base/address.hpp"
#include "drover/base/masked.hpp"
#include "drover/base/secret.hpp"
#include "drover/localcloud/local_cloud.hpp"

#include "parts.hpp"

namespace drover::app {

int migrate(const Settings& settings) {
  const auto applied = make_store(settings)->migrate();
  if (!applied.ok()) {
    std::cerr << "drover: " << without_passwords(describe(applied.error())) << "\n";
    return 1;
  }
  std::cout << (*applied == 0 ? std::string("the schema is up to date")
                              : fmt::format("{} migrations applied; the schema is up to date", *applied))
            << "\n";
  return 0;
}

int local_cloud(const cli::LocalCloudCommand& command) {
  const auto listen = parse_listen(command.listen);
  const auto control = parse_listen(command.control);
  if (!listen || !control) {
    std::cerr << "drover: --listen and --control are numeric ADDRESS:PORT\n";
    return 2;
  }
  localcloud::LocalCloudOptions options;
  options.address = listen->host;
  options.port = listen->port;
  options.control_address = control->host;
  options.control_port = control->port;
  options.data_dir = command.data;
  options.region = command.region;
  options.access_key = command.access_key;
  options.secret_key = Secret(command.secret_key);
  options.terminate_on_exit = command.terminate_on_exit;
  return localcloud::run_local_cloud(options, [](const localcloud::LocalCloud& cloud) {
    std::cout << localcloud::ready_line(cloud) << std::endl;
  });
}

}  // namespace drover::app
