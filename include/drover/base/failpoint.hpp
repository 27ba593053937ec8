#pragma once

// Named points at which a test build dies, stands still or hangs on request, to show what is left behind.
// Without DROVER_FAILPOINTS (the CMake option; off in release builds) the macros expand to nothing.
//
// The environment asks:
//   DROVER_FAILPOINT=<kill|stop|hang>@<prefix>[,<prefix>...]:<n>
//       at the n-th passage of points whose names begin with a prefix: SIGKILL or SIGSTOP to this process; or
//       the thread that passes goes no further
//   DROVER_FAILPOINT=file:<path>
//       the same from a file, read anew when it has changed
//   DROVER_FAILPOINT_TRACE=<path>
//       a line for each point passed: its name, and "!" behind it where the request was carried out
// Thread-safe.
#ifdef DROVER_FAILPOINTS

#include <initializer_list>
#include <string_view>

namespace drover {
// The name is the parts with dots between them. A request that cannot be read ends the process.
void pass_failpoint(std::initializer_list<std::string_view> parts);
}  // namespace drover

#define DROVER_FAILPOINT(name) ::drover::pass_failpoint({name})
// "<area>.<name of the change>.<step>" for each of a range of changes.
#define DROVER_FAILPOINT_EACH(area, changes, step) \
  for (const auto& each_change : (changes)) ::drover::pass_failpoint({area, name_of(each_change), step})

#else

#define DROVER_FAILPOINT(name) static_cast<void>(0)
#define DROVER_FAILPOINT_EACH(area, changes, step) static_cast<void>(0)

#endif
