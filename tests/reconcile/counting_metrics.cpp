#include "counting_metrics.hpp"

namespace drover::reconcile::testing {
namespace {

std::string key_of(std::string_view name, ports::MetricLabels labels) {
  std::string key(name);
  key += '{';
  for (const auto& [label, value] : labels) {
    if (key.back() != '{') key += ',';
    key += std::string(label) + "=" + std::string(value);
  }
  return key + '}';
}

}  // namespace

void CountingMetrics::add(std::string_view counter, double amount, ports::MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  values_[key_of(counter, labels)] += amount;
}

void CountingMetrics::set(std::string_view gauge, double value, ports::MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  values_[key_of(gauge, labels)] = value;
}

double CountingMetrics::value(const std::string& name_and_labels) {
  const std::lock_guard lock(mutex_);
  return values_[name_and_labels];
}

}  // namespace drover::reconcile::testing
