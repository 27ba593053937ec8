#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "drover/app/config.hpp"
#include "drover/ports/http_client.hpp"
#include "drover/postgres/inspect.hpp"

#include "findings.hpp"

namespace drover::app {

// Whether the URL leads no further than to this machine.
bool names_this_machine(const std::string& url);

// Whether the cloud could be used: credentials, and by dry runs what the pools of the file and of the
// database need. What cannot be tried without a machine is said to be unchecked. Where a permission is
// missing, the policy is printed.
void check_cloud(const Settings& settings, const std::optional<postgres::Inspection>& store,
                 ports::HttpClient& http, Report& report);

// The IAM policy that a daemon needs, as JSON text.
std::string_view iam_policy();

}  // namespace drover::app
