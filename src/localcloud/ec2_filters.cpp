#include "ec2_filters.hpp"

#include <algorithm>
#include <array>

#include "ec2_parameters.hpp"

namespace drover::localcloud {

namespace {

constexpr std::string_view kTagPrefix = "tag:";
constexpr std::string_view kTagKey = "tag-key";
constexpr std::size_t kFilterValuesMax = 200;

struct Field {
  std::string_view name;
  std::string (*value)(const Instance&);  // empty: the instance has none, and nothing matches
};
constexpr std::array kFields = {
    Field{"instance-id", [](const Instance& i) { return i.id; }},
    Field{"instance-state-name", [](const Instance& i) { return std::string(core::to_string(i.state)); }},
    Field{"instance-state-code", [](const Instance& i) { return std::to_string(state_code(i.state)); }},
    Field{"client-token", [](const Instance& i) { return i.client_token; }},
    Field{"instance-type", [](const Instance& i) { return i.type; }},
    Field{"availability-zone", [](const Instance& i) { return i.zone; }},
    Field{"instance-lifecycle",
          [](const Instance& i) { return std::string(i.market == core::Market::spot ? "spot" : ""); }},
    Field{"reservation-id", [](const Instance& i) { return i.reservation; }},
    Field{"image-id", [](const Instance& i) { return i.image; }},
    Field{"subnet-id", [](const Instance& i) { return i.subnet; }},
    Field{"private-ip-address", [](const Instance& i) { return i.private_ip; }},
    Field{"key-name", [](const Instance& i) { return i.key_name; }},
    Field{"spot-instance-request-id", [](const Instance& i) { return i.spot_request; }},
    Field{"state-reason-code", [](const Instance& i) { return i.reason_code; }},
};

const Field* find_field(std::string_view name) {
  const auto* at = std::ranges::find(kFields, name, &Field::name);
  return at == kFields.end() ? nullptr : at;
}

bool is_tag_filter(std::string_view name) {
  return name == kTagKey || name.starts_with(kTagPrefix);
}

bool has_tag(const Filter& filter, const Tags& tags) {
  if (filter.name == kTagKey) {
    return std::ranges::any_of(tags, [&](const auto& tag) { return matches_any(filter.values, tag.first); });
  }
  const auto key = std::string_view(filter.name).substr(kTagPrefix.size());
  return std::ranges::any_of(
      tags, [&](const auto& tag) { return tag.first == key && matches_any(filter.values, tag.second); });
}

bool matches_one(const Instance& instance, const Filter& filter) {
  if (is_tag_filter(filter.name)) return has_tag(filter, instance.tags);
  const auto value = find_field(filter.name)->value(instance);
  return !value.empty() && matches_any(filter.values, value);
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last '*', and where its text began
  std::size_t star_text = 0;
  while (t < text.size()) {
    const bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    const std::size_t at = escaped ? p + 1 : p;
    if (!escaped && p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (at < pattern.size() && (pattern[at] == text[t] || (!escaped && pattern[at] == '?'))) {
      p = at + 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) { return matches_wildcard(pattern, text); });
}

Result<Filters> parse_filters(const Params& params, std::span<const std::string_view> names) {
  const auto known = [&](std::string_view name) {
    const auto listed = name.starts_with(kTagPrefix) ? kTagPrefix : name;
    return std::ranges::find(names, listed) != names.end();
  };
  Filters out;
  std::size_t values = 0;
  for (const auto& item : params.structs("Filter")) {
    Filter filter{item.text("Name"), item.list("Value")};
    if (filter.name.empty()) return missing_parameter("Filter.Name");
    if (!known(filter.name)) {
      return ec2_error("InvalidParameterValue", "The filter '" + filter.name + "' is invalid");
    }
    if (filter.values.empty()) {
      return ec2_error("InvalidParameterValue",
                       "The filter '" + filter.name + "' must have at least one value");
    }
    values += filter.values.size();
    out.push_back(std::move(filter));
  }
  if (values > kFilterValuesMax) {
    return ec2_error("FilterLimitExceeded",
                     "The maximum number of filter values specified on a single call is 200");
  }
  return out;
}

Result<Filters> parse_filters(const Params& params) {
  std::vector<std::string_view> names{kTagKey, kTagPrefix};
  for (const auto& field : kFields) names.push_back(field.name);
  return parse_filters(params, names);
}

bool matches(const Instance& instance, const Filters& filters) {
  return std::ranges::all_of(filters, [&](const auto& filter) { return matches_one(instance, filter); });
}

bool passes(const Filters& filters, std::string_view name, std::string_view value) {
  return std::ranges::all_of(
      filters, [&](const auto& filter) { return filter.name != name || matches_any(filter.values, value); });
}

bool passes_tags(const Filters& filters, const Tags& tags) {
  return std::ranges::all_of(
      filters, [&](const auto& filter) { return !is_tag_filter(filter.name) || has_tag(filter, tags); });
}

}  // namespace drover::localcloud
