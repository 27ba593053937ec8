#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "drover/ports/metrics.hpp"

namespace drover::reconcile::testing {

// Thread-safe.
class CountingMetrics final : public ports::Metrics {
 public:
  void describe(std::string_view, std::string_view) override {}
  void add(std::string_view counter, double amount, ports::MetricLabels labels) override;
  void set(std::string_view gauge, double value, ports::MetricLabels labels) override;
  void replace(std::string_view, const std::vector<ports::GaugeSample>&) override {}
  void observe(std::string_view, double, ports::MetricLabels) override {}
  std::string render() override { return {}; }
  double value(const std::string& name_and_labels);  // "name{a=b,c=d}"

 private:
  std::mutex mutex_;
  std::map<std::string, double> values_;
};

}  // namespace drover::reconcile::testing
