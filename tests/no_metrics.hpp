#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drover/ports/metrics.hpp"

namespace drover::testing {

class NoMetrics final : public ports::Metrics {
 public:
  void describe(std::string_view, std::string_view) override {}
  void add(std::string_view, double, ports::MetricLabels) override {}
  void set(std::string_view, double, ports::MetricLabels) override {}
  void replace(std::string_view, const std::vector<ports::GaugeSample>&) override {}
  void observe(std::string_view, double, ports::MetricLabels) override {}
  std::string render() override { return {}; }
};

}  // namespace drover::testing
