#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "drover/ports/metrics.hpp"

namespace drover::metrics {

// Metrics on a Prometheus registry of its own. Thread-safe. A name keeps the kind of its first use; using it
// as another kind, or a name or label that Prometheus would refuse, drops the sample and is logged once per
// name: a wrong metric never breaks its caller. Histogram buckets go from 1 ms to 60 s.
class PrometheusMetrics final : public ports::Metrics {
 public:
  PrometheusMetrics();
  ~PrometheusMetrics() override;
  PrometheusMetrics(const PrometheusMetrics&) = delete;
  PrometheusMetrics& operator=(const PrometheusMetrics&) = delete;

  void describe(std::string_view name, std::string_view help) override;
  // A negative or non-finite amount is dropped: counters only rise.
  void add(std::string_view counter, double amount, ports::MetricLabels labels) override;
  void set(std::string_view gauge, double value, ports::MetricLabels labels) override;
  void replace(std::string_view gauge, const std::vector<ports::GaugeSample>& series) override;
  void observe(std::string_view histogram_seconds, double seconds, ports::MetricLabels labels) override;
  std::string render() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drover::metrics
