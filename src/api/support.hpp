#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drover/schema/table.hpp"

#include "service.hpp"

namespace drover::api {

// The job that a path's {job} names, by number or by UUID.
Result<services::JobKey> job_key(const std::string& text);

// `<path?…the filters…&limit&before=N>; rel="next"`; `cursor` is the parameter that leads on: "before", or
// "after".
std::string next_link(const http::Request& request, int limit, std::string_view cursor,
                      const std::string& value);

// The body as JSON; an empty one as an empty object where `empty_is_object`.
Result<Json> body_json(const http::Request& request, bool empty_is_object = false);
// The body parsed, or the answer sent.
std::optional<Json> body_or_fail(const CallPtr& call, bool empty_is_object = false);
// The body, or the query, read by its table over `start`; nullopt: the error was sent.
template <class T>
std::optional<T> body_by(const CallPtr& call, const schema::Table<T>& table, T start = {},
                         bool empty_is_object = false) {
  const std::optional<Json> body = body_or_fail(call, empty_is_object);
  if (!body) return std::nullopt;
  if (const Status read = table.read(*body, start); !read.ok()) return call->fail(read.error()), std::nullopt;
  return start;
}
template <class T>
std::optional<T> query_by(const CallPtr& call, const schema::Table<T>& table) {
  T query;
  const Status read = table.read_query(call->request().query, query);
  if (!read.ok()) return call->fail(read.error()), std::nullopt;
  return query;
}

// The value of `Authorization: Bearer …`; empty when absent or of another scheme.
std::string_view bearer(const http::Request& request);
bool wants_shell(const http::Request& request);

}  // namespace drover::api
