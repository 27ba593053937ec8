#include "drover/schema/place.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "drover/base/text.hpp"

namespace drover::schema {

std::string Place::name() const {
  const std::string above = up_ == nullptr ? std::string() : up_->name();
  if (index_) return fmt::format("{}[{}]", above, *index_);
  if (above.empty()) return std::string(key_);
  return fmt::format("{}.{}", above, key_);
}

void Place::fail(std::string_view what) const {
  if (failed()) return;
  const std::string named = name();
  fail_saying(fmt::format("{} {}", named.empty() ? "the body" : named, what));
}

void Place::fail_saying(std::string message) const {
  if (!failed()) error_ = invalid(name(), std::move(message));
}

void Place::wrong_type(const char* wanted, const Json& got) const {
  fail(fmt::format("must be {}, not {}", with_article(wanted), with_article(got.type_name())));
}

Json Components::ref(std::string_view name, const Describe& describe) {
  if (begun_.emplace(name).second) {  // noted before it is described, since a schema may refer to itself
    Json described = describe(*this);
    described_.emplace(name, std::move(described));
  }
  return Json::object().set("$ref", fmt::format("#/components/schemas/{}", name));
}

Json Components::schemas() const {
  Json out = Json::object();
  for (const auto& [name, schema] : described_) out.set(name, schema);
  return out;
}

std::string with_article(std::string_view type_name) {
  if (type_name == "null") return "null";
  const bool vowel = type_name.starts_with('i') || type_name.starts_with('a') || type_name.starts_with('o');
  return fmt::format("{} {}", vowel ? "an" : "a", type_name);
}

bool plain_text(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::none_of(text.begin(), text.end(), control) && storable_text(text);
}

}  // namespace drover::schema
