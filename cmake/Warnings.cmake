# Warnings and hardening that every target of ours is compiled with. Third-party headers come in as SYSTEM.
add_library(drover_options INTERFACE)
target_compile_options(drover_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  # At -O2 GCC 12 says it of std::optional where nothing is read uninitialised: shown, but no reason to stop a build.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized>
  -fstack-protector-strong -fno-omit-frame-pointer)
target_compile_definitions(drover_options INTERFACE _GLIBCXX_ASSERTIONS DROVER_VERSION="${PROJECT_VERSION}"
  $<$<BOOL:${DROVER_FAILPOINTS}>:DROVER_FAILPOINTS>)
