#pragma once

#include <string>
#include <string_view>

namespace drover::worker {

// The text of drover-worker, what GET /worker/bootstrap answers. Thread-safe.
std::string_view worker_program();

// User data that fetches the worker program from the daemon at `url` (without a trailing slash) and runs it
// with `slots` (>= 1) slots. It still holds ports::kBootstrapPlaceholder: the token of a launch is known only
// when its intent is committed. Any text is safe in `url`: it is quoted for the shell. Thread-safe.
std::string render_user_data(std::string_view url, int slots);

}  // namespace drover::worker
