#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drover::ports {

using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// One series of a gauge.
struct GaugeSample {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

// Counters, gauges and histograms by name. Thread-safe; an unknown name is created at its first use. Names
// follow the Prometheus rules ("drover_…_total", "_seconds"). `label values` must come from a bounded set.
class Metrics {
 public:
  virtual ~Metrics() = default;
  virtual void describe(std::string_view name,
                        std::string_view help) = 0;  // before the first use; no newline
  virtual void add(std::string_view counter, double amount, MetricLabels labels = {}) = 0;
  virtual void set(std::string_view gauge, double value, MetricLabels labels = {}) = 0;
  // The gauge has these series and no others from now on: what is not named any more is gone from the page,
  // since a series that nobody sets again would show its last value for ever.
  virtual void replace(std::string_view gauge, const std::vector<GaugeSample>& series) = 0;
  virtual void observe(std::string_view histogram_seconds, double seconds, MetricLabels labels = {}) = 0;
  // The text exposition format 0.0.4.
  virtual std::string render() = 0;
};

}  // namespace drover::ports
