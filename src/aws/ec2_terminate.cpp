#include <algorithm>
#include <deque>
#include <iterator>
#include <set>
#include <utility>

#include "drover/aws/ec2_cloud.hpp"
#include "drover/aws/ec2_xml.hpp"

namespace drover::aws {
namespace {

using core::CloudError;
using core::CloudErrorClass;
using core::CloudStatus;

using Batches = std::deque<std::vector<std::string>>;

// The instances that EC2 would not end, and the first of its refusals.
class Refused {
 public:
  void add(const std::string& id, const CloudError& error) {
    if (ids_.empty()) first_ = error;
    ids_.push_back(id);
  }
  [[nodiscard]] CloudStatus verdict() const {
    if (ids_.empty()) return Ok{};
    CloudError error = first_;
    if (ids_.size() > 1) {
      error.message += " (of " + std::to_string(ids_.size()) + " that were not ended:";
      for (std::size_t i = 0; i < std::min(ids_.size(), kNamed); ++i) error.message += ' ' + ids_[i];
      error.message += ids_.size() > kNamed ? " and others)" : ")";
    }
    return error;
  }

 private:
  static constexpr std::size_t kNamed = 20;
  std::vector<std::string> ids_;
  CloudError first_;
};

std::set<std::string> named_in(std::string_view message, const std::vector<std::string>& batch);
bool is_not_found(const CloudError& error);
bool is_about_instances(const CloudError& error, const std::set<std::string>& named);
Batches after_refusal(const std::vector<std::string>& batch, const std::set<std::string>& named);
Batches batches_of(const std::set<std::string>& ids, const std::set<std::string>& refused);

}  // namespace

// EC2 terminates a whole batch (of one zone) or none of it. When it names the instance that it refuses, the
// rest is sent again without that one; when it does not, the batch is halved until the instance is found.
// Instances that were refused before come last, so that EC2's rate goes to those that can be terminated
// first.
CloudStatus Ec2Cloud::terminate(std::span<const std::string> ids) {
  Refused refused;
  std::set<std::string> valid;
  for (const auto& id : ids) {
    if (core::is_instance_id(id)) {
      valid.insert(id);
    } else {
      refused.add(id, {CloudErrorClass::id, "InvalidInstanceID.Malformed", "'" + id + "' is no instance id"});
    }
  }
  Batches work = batches_of(valid, refused_before());
  while (!work.empty()) {
    const auto batch = std::move(work.front());
    work.pop_front();
    if (batch.empty()) continue;
    auto done = terminate_batch(batch);
    if (done.ok()) {
      remember(batch, {});
      continue;
    }
    auto named = named_in(done.error().message, batch);
    if (!is_about_instances(done.error(), named)) return done;  // the other batches would be refused as well
    if (named.empty() && batch.size() == 1) named.insert(batch.front());
    if (is_not_found(done.error())) {
      remember({named.begin(), named.end()}, {});
    } else {
      for (const auto& id : named) refused.add(id, done.error());
      remember({}, named);
    }
    for (auto& part : after_refusal(batch, named)) work.push_back(std::move(part));
  }
  return refused.verdict();
}

namespace {

// EC2's rate limit counts every instance that a call names, terminated or not (a thousand at once, then
// twenty a second). After a refusal the batch is sent again in parts, so that a large batch would use up the
// rate that the other instances need.
constexpr std::size_t kBatch = 100;
constexpr std::size_t kRemembered = 10'000;

// The ids of `batch` that an error message names.
std::set<std::string> named_in(std::string_view message, const std::vector<std::string>& batch) {
  std::set<std::string> words;
  std::string word;
  for (const char c : message) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') {
      word += c;
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  words.insert(std::move(word));
  std::set<std::string> out;
  for (const auto& id : batch) {
    if (words.contains(id)) out.insert(id);
  }
  return out;
}

bool is_not_found(const CloudError& error) {
  return error.code == "InvalidInstanceID.NotFound";
}

// Is the refusal about single instances of the batch rather than about the call? It is when it names
// instances. When it names none, only errors of some classes are known to be about instances.
bool is_about_instances(const CloudError& error, const std::set<std::string>& named) {
  switch (error.error_class) {
    case CloudErrorClass::id:
    case CloudErrorClass::protection:
      return true;
    case CloudErrorClass::throttle:
    case CloudErrorClass::transient:
    case CloudErrorClass::credentials:
      return false;
    default:
      return !named.empty();
  }
}

std::vector<std::string> without(const std::vector<std::string>& batch, const std::set<std::string>& named) {
  std::vector<std::string> rest;
  std::copy_if(batch.begin(), batch.end(), std::back_inserter(rest),
               [&](const auto& id) { return !named.contains(id); });
  return rest;
}

// What to try next when EC2 refused a whole batch for the sake of some of it.
Batches after_refusal(const std::vector<std::string>& batch, const std::set<std::string>& named) {
  if (!named.empty()) return {without(batch, named)};
  if (batch.size() < 2) return {};
  const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
  return {{batch.begin(), middle}, {middle, batch.end()}};
}

// Those that were refused before come last, each alone.
Batches batches_of(const std::set<std::string>& ids, const std::set<std::string>& refused) {
  Batches out;
  Batches alone;
  for (const auto& id : ids) {
    if (refused.contains(id)) {
      alone.push_back({id});
      continue;
    }
    if (out.empty() || out.back().size() == kBatch) out.emplace_back();
    out.back().push_back(id);
  }
  std::move(alone.begin(), alone.end(), std::back_inserter(out));
  return out;
}

}  // namespace

CloudStatus Ec2Cloud::terminate_batch(const std::vector<std::string>& batch) {
  return call(terminate_rate_, encode_terminate_instances(batch), [](std::string_view body) {
    const auto parsed = parse_terminate_instances(body);
    return parsed.ok() ? Status(Ok{}) : Status(parsed.error());
  });
}

std::set<std::string> Ec2Cloud::refused_before() {
  const std::lock_guard lock(refused_mutex_);
  return refused_;
}

void Ec2Cloud::remember(const std::vector<std::string>& ended, const std::set<std::string>& refused) {
  const std::lock_guard lock(refused_mutex_);
  for (const auto& id : ended) refused_.erase(id);
  if (refused_.size() < kRemembered) refused_.insert(refused.begin(), refused.end());
}

}  // namespace drover::aws
