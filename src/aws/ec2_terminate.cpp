#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "drover/aws/ec2_cloud.hpp"
#include "drover/aws/ec2_xml.hpp"

namespace drover::aws {
namespace {

using ports::CloudErrorClass;
using ports::make_cloud_error;

constexpr std::size_t kBatch = 1000;

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

// What concerns single instances of a batch rather than the call.
bool is_about_instances(const Error& error) {
  const auto error_class = ports::cloud_error_class(error);
  return error_class == CloudErrorClass::id || error_class == CloudErrorClass::protection;
}

bool is_not_found(const Error& error) {
  return ports::cloud_error_code(error) == "InvalidInstanceID.NotFound";
}

using Batches = std::vector<std::vector<std::string>>;

// What to try next when EC2 refused a whole batch for the sake of some of it: the batch without those that it
// named as unknown, else its halves, so that one protected instance among a thousand costs twenty calls.
// Empty: nothing is left to try.
Batches after_refusal(const std::vector<std::string>& batch, const Error& error) {
  if (is_not_found(error)) {
    const auto unknown = named_in(error.message, batch);
    std::vector<std::string> rest;
    std::copy_if(batch.begin(), batch.end(), std::back_inserter(rest),
                 [&](const auto& id) { return !unknown.contains(id); });
    if (rest.empty()) return {};
    if (!unknown.empty()) return {rest};
  }
  if (batch.size() < 2) return {};
  const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
  return {{batch.begin(), middle}, {middle, batch.end()}};
}

Batches batches_of(const std::set<std::string>& ids) {
  Batches out;
  for (const auto& id : ids) {
    if (out.empty() || out.back().size() == kBatch) out.emplace_back();
    out.back().push_back(id);
  }
  return out;
}

}  // namespace

Status Ec2Cloud::terminate_batch(const std::vector<std::string>& batch) {
  return call(terminate_rate_, encode_terminate_instances(batch), [](std::string_view body) {
    const auto parsed = parse_terminate_instances(body);
    return parsed ? Status(Ok{}) : Status(parsed.error());
  });
}

Status Ec2Cloud::terminate(std::span<const std::string> ids) {
  std::optional<Error> first;
  std::set<std::string> valid;
  for (const auto& id : ids) {
    if (is_instance_id(id)) {
      valid.insert(id);
    } else if (!first) {
      first = make_cloud_error(CloudErrorClass::id, "InvalidInstanceID.Malformed",
                               "'" + id + "' is no instance id");
    }
  }
  Batches work = batches_of(valid);
  while (!work.empty()) {
    const auto batch = std::move(work.back());
    work.pop_back();
    const auto done = terminate_batch(batch);
    if (done) continue;
    if (!is_about_instances(done.error())) return done;  // the other batches would meet the same
    auto rest = after_refusal(batch, done.error());
    const bool gone = batch.size() == 1 && is_not_found(done.error());
    if (batch.size() == 1 && !gone && !first) first = done.error();
    for (auto& part : rest) work.push_back(std::move(part));
  }
  return first ? Status(*first) : Status(Ok{});
}

}  // namespace drover::aws
