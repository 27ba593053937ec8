#include "drover/schema/table.hpp"

#include <fmt/format.h>

#include "drover/base/text.hpp"

namespace drover::schema {

void fail_unknown(const Place& at, std::string_view key, const std::vector<std::string_view>& known) {
  at.member(key).fail(fmt::format("is not a known member{}", what_there_is(key, known)));
}

Json object_schema(std::string_view documentation, Json properties, Json required, bool closed) {
  Json out = documented(Json::object().set("type", "object"), documentation);
  if (!required.if_array()->empty()) out.set("required", std::move(required));
  out.set("properties", std::move(properties));
  if (closed) out.set("additionalProperties", false);
  return out;
}

Json documented(Json schema, std::string_view documentation) {
  if (!documentation.empty()) schema.set("description", documentation);
  return schema;
}

bool worth_saying(const Json& standard) {
  if (const std::string* text = standard.if_string()) return !text->empty();
  return !standard.is_null() && standard.if_array() == nullptr && standard.if_object() == nullptr;
}

}  // namespace drover::schema
