# Warnings and hardening that every target of ours is compiled with. Third-party headers come in as SYSTEM.
add_library(drover_options INTERFACE)
target_compile_options(drover_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  -fstack-protector-strong -fno-omit-frame-pointer)
target_compile_definitions(drover_options INTERFACE _GLIBCXX_ASSERTIONS DROVER_VERSION="${PROJECT_VERSION}")
