#include "pattern.hpp"

#include <algorithm>

#include "drover/base/text.hpp"

namespace drover::http {

namespace {

// Without the leading slash; "/" has no segments.
std::optional<std::vector<std::string_view>> pieces(std::string_view path) {
  if (path.empty() || path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  if (path.empty()) return std::vector<std::string_view>{};
  return split(path, '/');
}

}  // namespace

std::optional<Pattern> Pattern::parse(std::string_view text, bool tail) {
  const auto found = pieces(text);
  if (!found) return std::nullopt;
  Pattern pattern;
  pattern.tail_ = tail;
  for (const std::string_view piece : *found) {
    if (piece.empty()) return std::nullopt;
    const bool literal = piece.front() != '{';
    Part part{literal, std::string(piece)};
    if (!literal) {
      if (piece.size() < 3 || piece.back() != '}') return std::nullopt;
      part.text = piece.substr(1, piece.size() - 2);
      const auto same = [&](const Part& other) { return !other.literal && other.text == part.text; };
      if (std::any_of(pattern.parts_.begin(), pattern.parts_.end(), same)) return std::nullopt;
    }
    if (part.text.find_first_of("{}") != std::string::npos) return std::nullopt;
    pattern.parts_.push_back(std::move(part));
  }
  if (tail && (pattern.parts_.empty() || pattern.parts_.back().literal)) return std::nullopt;
  return pattern;
}

std::size_t Pattern::counted(const std::vector<std::string>& segments) {
  return !segments.empty() && segments.back().empty() ? segments.size() - 1 : segments.size();
}

bool Pattern::matches(const std::vector<std::string>& segments) const {
  if (tail_ ? counted(segments) < parts_.size() : counted(segments) != parts_.size()) return false;
  const std::size_t single = tail_ ? parts_.size() - 1 : parts_.size();  // parts that stand for one segment
  for (std::size_t i = 0; i < single; ++i) {
    if (parts_[i].literal ? segments[i] != parts_[i].text : segments[i].empty()) return false;
  }
  return true;
}

PathValues Pattern::values(const std::vector<std::string>& segments) const {
  PathValues values;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!parts_[i].literal) values.emplace(parts_[i].text, segments[i]);
  }
  if (tail_) {
    std::string& rest = values[parts_.back().text];
    for (std::size_t i = parts_.size(); i < segments.size(); ++i) rest.append("/").append(segments[i]);
  }
  return values;
}

std::string Pattern::shape() const {
  std::string shape;
  for (const Part& part : parts_) shape += part.literal ? "/0" + part.text : std::string("/1");
  if (tail_) shape.back() = '2';
  return shape;
}

std::optional<std::vector<std::string>> segments_of(const Request& request) {
  const bool raw = !request.raw_path.empty();
  const auto found = pieces(raw ? request.raw_path : request.path);
  if (!found) return std::nullopt;
  std::vector<std::string> segments;
  segments.reserve(found->size());
  for (const std::string_view piece : *found) {
    if (!raw) {
      segments.emplace_back(piece);
      continue;
    }
    std::optional<std::string> decoded = percent_decode(piece);
    if (!decoded || decoded->find('\0') != std::string::npos) return std::nullopt;
    segments.push_back(std::move(*decoded));
  }
  return segments;
}

}  // namespace drover::http
