#include <algorithm>
#include <utility>

#include "drover/base/failpoint.hpp"
#include "drover/base/log.hpp"
#include "drover/core/backoff.hpp"
#include "drover/ports/tokens.hpp"

#include "executor.hpp"

namespace drover::reconcile {
namespace {

constexpr std::string_view kNameTag = "Name";  // what the console shows
constexpr int kUnknownTries = 10;              // for an error of class unknown
constexpr std::string_view kThrottled = "the cloud has just asked to be called less often";

// Half to all of it, so that many daemons do not come back together.
SteadyTime::duration jittered(Seconds delay) {
  const auto micros = std::chrono::duration_cast<Micros>(delay).count();
  return Micros{micros / 2 +
                static_cast<std::int64_t>(random_u64() % static_cast<std::uint64_t>(micros / 2 + 1))};
}

// Returns false, which carry_out() returns for an action that was not done.
bool drop_launch(const std::string& pool, std::string_view why) {
  log_info("reconcile: launch for pool {} dropped: {}", pool, why);
  return false;
}

void put_token(std::string& user_data, const Secret& token) {
  for (auto at = user_data.find(ports::kBootstrapPlaceholder); at != std::string::npos;
       at = user_data.find(ports::kBootstrapPlaceholder, at)) {
    user_data.replace(at, ports::kBootstrapPlaceholder.size(), token.reveal());
    at += token.reveal().size();
  }
}

}  // namespace

std::optional<core::LaunchRequest> Executor::freeze(const core::InsertLaunch& action) const {
  const ports::PoolRow* row = pool(action.pool);
  if (row == nullptr || row->version != action.pool_version) return std::nullopt;
  const core::PoolSpec& spec = row->spec;
  core::LaunchRequest request;
  request.client_token = to_string(make_random_uuid());
  request.count = action.count;
  request.market = action.market;
  request.image = spec.image;
  request.instance_type = action.instance_type;
  request.subnet = action.subnet;
  request.security_groups = spec.security_groups;
  request.instance_profile = spec.instance_profile;
  request.key_name = spec.key_name;
  request.max_price = spec.max_price;
  request.disk_gib = spec.disk_gib;
  if (options_.render_user_data) request.user_data = options_.render_user_data(spec);
  request.tags = {{std::string(core::kDeploymentTag), to_string(world_->view.deployment)},
                  {std::string(core::kPoolTag), spec.name}};
  const bool named = std::ranges::any_of(spec.tags, [](const auto& tag) { return tag.first == kNameTag; });
  if (!named) request.tags.emplace_back(kNameTag, "drover-" + spec.name);
  request.tags.insert(request.tags.end(), spec.tags.begin(), spec.tags.end());
  return request;
}

bool Executor::carry_out(const core::InsertLaunch& action) {
  if (throttled_) return drop_launch(action.pool, kThrottled);
  auto request = freeze(action);
  if (!request) return drop_launch(action.pool, "the pool was changed since it was planned");
  const Secret token = ports::bootstrap_token(world_->view.deployment_secret, request->client_token);
  ports::InsertLaunch insert;
  insert.pool = pool(action.pool)->id;
  insert.request = *request;
  insert.bootstrap_hash = sha256(token.reveal());
  insert.reason = action.reason;
  insert.now = clock_.wall();
  insert.epoch = world_->view.epoch;
  insert.pool_version = action.pool_version;
  DROVER_FAILPOINT("launch.chosen");
  const auto inserted = fleet_.apply(std::move(insert));
  DROVER_FAILPOINT("launch.intended");
  if (!inserted.ok()) return drop_launch(action.pool, inserted.error().message);
  log_info("launch {} of pool {}: {} x {} ({})", inserted->launch.value, action.pool, action.count,
           action.instance_type, action.reason);
  call(inserted->launch, action.pool, std::move(*request));
  return true;
}

bool Executor::carry_out(const core::CallLaunch& action) {
  const ports::LaunchRow* row = launch_row(action.launch);
  if (row == nullptr) return false;  // never happens: the plan was made from these rows
  if (throttled_) return drop_launch(row->pool_name, kThrottled);
  return call(row->id, row->pool_name, row->request);
}

// False: the cloud was not asked.
bool Executor::call(LaunchId launch, const std::string& pool, core::LaunchRequest request) {
  if (!may_call()) return false;
  const core::Offering offering{pool, request.instance_type, request.subnet, request.market};
  put_token(request.user_data, ports::bootstrap_token(world_->view.deployment_secret, request.client_token));
  DROVER_FAILPOINT("launch.call");
  auto instances = cloud_.launch(request);
  DROVER_FAILPOINT("launch.called");
  if (!instances.ok()) {
    refused(launch, offering, request.count, instances.error());
    return true;
  }
  health_.worked(offering, instances->empty() ? std::string() : instances->front().zone);
  outcomes_.launched[launch] = {clock_.steady(), static_cast<int>(instances->size())};
  outcomes_.tries.erase(launch);
  metrics_.add("drover_instances_launched_total", static_cast<double>(instances->size()), {{"pool", pool}});
  const auto recorded = record(launch, core::LaunchState::fulfilled, std::move(*instances), {});
  DROVER_FAILPOINT("launch.recorded");
  // The next listing shows the instances under this launch's token, and they are adopted then.
  if (!recorded.ok())
    log_warn("launch {}: the answer could not be stored: {}", launch.value, recorded.error().message);
  return true;
}

// Puts the next call of a launch off; false when it is not worth another.
bool Executor::put_off(LaunchId launch, const core::CloudError& error) {
  core::LaunchTry& entry = outcomes_.tries[launch];
  ++entry.failures;
  const Seconds base{error.error_class == core::CloudErrorClass::throttle ? 4 : 1};
  entry.next = clock_.steady() + jittered(core::doubled(base, entry.failures, Seconds{60}));
  return error.error_class != core::CloudErrorClass::unknown || entry.failures < kUnknownTries;
}

void Executor::refused(LaunchId launch, const core::Offering& offering, int count,
                       const core::CloudError& error) {
  core::Reaction reaction = core::reaction_to(error, offering);
  if (reaction.repeat && !put_off(launch, error)) {
    reaction = {false, core::Refusal{core::RefusalScope::offering, true}, true};
  }
  const bool throttle = error.error_class == core::CloudErrorClass::throttle;
  throttled_ = throttled_ || throttle;
  if (reaction.mute) health_.refused(*reaction.mute, offering, clock_.steady(), error);
  if (reaction.repeat && !throttle) {
    outcomes_.launched[launch] = {clock_.steady(), count};  // the machines may exist
  } else {
    outcomes_.launched.erase(launch);
  }
  again_ = again_ || reaction.again;
  const auto state = reaction.repeat ? core::LaunchState::intended : core::LaunchState::failed;
  if (const auto recorded = record(launch, state, {}, core::describe_with_class(error)); !recorded.ok()) {
    log_warn("launch {}: its refusal could not be stored: {}", launch.value, recorded.error().message);
  }
}

Result<ports::RecordLaunch::Answer> Executor::record(LaunchId launch, core::LaunchState state,
                                                     std::vector<core::Instance> instances,
                                                     std::string error) {
  return fleet_.apply(
      ports::RecordLaunch{launch, state, std::move(instances), std::move(error), clock_.wall()});
}

bool Executor::carry_out(const core::AdoptInstances& action) {
  log_info("launch {}: {} instances adopted: {}", action.launch.value, action.instances.size(),
           action.reason);
  const auto recorded = record(action.launch, core::LaunchState::fulfilled, action.instances, {});
  if (!recorded.ok()) {
    log_info("reconcile: adoption dropped: {}", recorded.error().message);
    return false;
  }
  outcomes_.tries.erase(action.launch);
  if (const auto charge = outcomes_.launched.find(action.launch); charge != outcomes_.launched.end()) {
    const ports::LaunchRow* row = launch_row(action.launch);
    charge->second.count = (row == nullptr ? 0 : row->instances) + static_cast<int>(action.instances.size());
  }
  const std::vector<ports::WorkerRow>& added = recorded->workers;
  for (const auto& instance : action.instances) {
    const bool new_worker = std::any_of(
        added.begin(), added.end(), [&](const auto& worker) { return worker.instance_id == instance.id; });
    // The store knows the instance, but not as a live worker: that worker was given up for good.
    if (!new_worker) outcomes_.ended.insert(instance.id);
  }
  return true;
}

bool Executor::carry_out(const core::CloseLaunch& action) {
  log_info("launch {} closed: {}", action.launch.value, action.reason);
  const ports::LaunchRow* row = launch_row(action.launch);
  std::string last_error = row == nullptr ? "" : row->error;  // kept, since it says what the cloud answered
  const auto recorded = record(action.launch, core::LaunchState::closed, {}, std::move(last_error));
  if (!recorded.ok()) log_info("reconcile: closing a launch dropped: {}", recorded.error().message);
  return recorded.ok();
}

}  // namespace drover::reconcile
