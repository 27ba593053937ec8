#include "drover/core/fleet/facts.hpp"

#include "names.hpp"

namespace drover::core {
namespace {

constexpr Names<WorkerState, 5> kWorkerStates{{"starting", "active", "draining", "terminating", "gone"}};
constexpr Names<LaunchState, 4> kLaunchStates{{"intended", "fulfilled", "failed", "closed"}};
constexpr Names<Market, 2> kMarkets{{"spot", "on_demand"}};
constexpr Names<Provider, 3> kProviders{{"ec2", "asg", "none"}};
constexpr Names<InstanceState, 7> kInstanceStates{
    {"pending", "running", "shutting-down", "terminated", "stopping", "stopped", "unknown"}};

}  // namespace

std::string_view to_string(WorkerState state) {
  return kWorkerStates.of(state);
}
std::optional<WorkerState> parse_worker_state(std::string_view text) {
  return kWorkerStates.parse(text);
}
std::span<const std::string_view> worker_state_names() {
  return kWorkerStates.names;
}

std::string_view to_string(LaunchState state) {
  return kLaunchStates.of(state);
}
std::optional<LaunchState> parse_launch_state(std::string_view text) {
  return kLaunchStates.parse(text);
}

std::string_view to_string(Market market) {
  return kMarkets.of(market);
}
std::optional<Market> parse_market(std::string_view text) {
  return kMarkets.parse(text);
}
std::span<const std::string_view> market_names() {
  return kMarkets.names;
}

std::string_view to_string(Provider provider) {
  return kProviders.of(provider);
}
std::optional<Provider> parse_provider(std::string_view text) {
  return kProviders.parse(text);
}

std::string_view to_string(InstanceState state) {
  return kInstanceStates.of(state);
}
InstanceState parse_instance_state(std::string_view text) {
  return kInstanceStates.parse(text).value_or(InstanceState::unknown);
}

std::vector<std::string> queues_of(const PoolSpec& spec) {
  return spec.queues.empty() ? std::vector<std::string>{spec.name} : spec.queues;
}

bool is_instance_id(std::string_view id) {
  constexpr std::string_view kPrefix = "i-";
  constexpr std::size_t kMostDigits = 32;
  if (!id.starts_with(kPrefix)) return false;
  const std::string_view digits = id.substr(kPrefix.size());
  return !digits.empty() && digits.size() <= kMostDigits &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool fits_metadata(std::string_view tag_key) {
  constexpr std::string_view kTaken =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-=.,_:@";
  if (tag_key == "." || tag_key == ".." || tag_key == "_index") return false;
  return tag_key.find_first_not_of(kTaken) == std::string_view::npos;
}

}  // namespace drover::core
