#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "drover/localcloud/local_cloud.hpp"

// The local cloud runs its own executable as each instance's supervisor: here that is the test program.
int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (!args.empty() && args[0] == drover::localcloud::kSupervisorSubcommand) {
    return drover::localcloud::run_instance_supervisor(std::span(args).subspan(1));
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
