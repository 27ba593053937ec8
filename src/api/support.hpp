#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service.hpp"

namespace drover::api {

// The job that a path's {job} names, by number or by UUID.
Result<services::JobKey> job_key(const std::string& text);

// nullopt when absent.
Result<std::optional<std::int64_t>> query_int(const http::Request& request, std::string_view name,
                                              std::int64_t min, std::int64_t max);
// `limit`: 1..limits::kPageRows.
Result<int> query_limit(const http::Request& request, int absent = limits::kPageRowsDefault);
// `<path?…the filters…&limit&before=N>; rel="next"`; `cursor` is the parameter that leads on: "before", or
// "after".
std::string next_link(const http::Request& request, int limit, std::string_view cursor,
                      const std::string& value);

// The body as JSON; an empty one as an empty object where `empty_is_object`.
Result<Json> body_json(const http::Request& request, bool empty_is_object = false);
// The body parsed, or the answer sent.
std::optional<Json> body_or_fail(const CallPtr& call, bool empty_is_object = false);

// The value of `Authorization: Bearer …`; empty when absent or of another scheme.
std::string_view bearer(const http::Request& request);
bool wants_shell(const http::Request& request);

// `ready`, null while the jobs are counted, and `running` of a queue.
void set_queue(Json& to, const engine::QueueView& queue, bool counting);

}  // namespace drover::api
