#include "drover/metrics/prometheus_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <sstream>
#include <unordered_map>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "drover/base/log.hpp"

namespace drover::metrics {
namespace {

const prometheus::Histogram::BucketBoundaries& seconds_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60};
  return buckets;
}

std::map<std::string, std::string> to_map(ports::MetricLabels labels) {
  std::map<std::string, std::string> map;
  for (const auto& [key, value] : labels) map.insert_or_assign(std::string(key), std::string(value));
  return map;
}

}  // namespace

struct PrometheusMetrics::Impl {
  template <class Kind>
  using Families = std::map<std::string, prometheus::Family<Kind>*, std::less<>>;
  // By name and labels. Looking a sample up in its family instead would copy all labels for every request
  // answered.
  template <class Kind>
  using Samples = std::unordered_map<std::string, Kind*>;

  // Guards the maps; the families and their metrics lock themselves.
  std::shared_mutex mutex;
  Samples<prometheus::Counter> counted;
  Samples<prometheus::Histogram> observed;
  std::map<std::string, std::string, std::less<>> help;
  Families<prometheus::Counter> counters;
  Families<prometheus::Gauge> gauges;
  Families<prometheus::Histogram> histograms;
  std::set<std::string, std::less<>> refused;
  using Labels = std::map<std::string, std::string>;
  std::mutex replacing;  // guards replaced
  std::map<std::string, std::map<Labels, prometheus::Gauge*>>
      replaced;  // by name: the series of the last replace()
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Throw};

  // The family `name`, registered by `builder` at its first use; the library throws for a bad or taken name.
  template <class Kind, class Builder>
  prometheus::Family<Kind>& family(Families<Kind>& known, std::string_view name, Builder builder) {
    {
      const std::shared_lock lock(mutex);
      if (const auto found = known.find(name); found != known.end()) return *found->second;
    }
    const std::unique_lock lock(mutex);
    if (const auto found = known.find(name); found != known.end()) return *found->second;
    std::string text;
    if (const auto described = help.find(name); described != help.end()) text = described->second;
    if (text.empty()) {
      text = name;
      std::replace(text.begin(), text.end(), '_', ' ');
    }
    auto& made = builder().Name(std::string(name)).Help(text).Register(registry);
    known.emplace(std::string(name), &made);
    return made;
  }

  // The sample, made by `make` at its first use. Never removed.
  template <class Kind, class Make>
  Kind& sample(Samples<Kind>& known, std::string_view name, ports::MetricLabels labels, Make make) {
    thread_local std::string key;
    key.assign(name);
    for (const auto& [label, value] : labels) key.append(1, '\0').append(label).append(1, '\0').append(value);
    {
      const std::shared_lock lock(mutex);
      if (const auto found = known.find(key); found != known.end()) return *found->second;
    }
    Kind& made = make();
    const std::unique_lock lock(mutex);
    return *known.emplace(key, &made).first->second;
  }

  // Runs one sample. What the library refuses is logged once per name.
  template <class Sample>
  void guarded(std::string_view name, Sample sample) {
    try {
      sample();
    } catch (const std::exception& refusal) {
      const std::unique_lock lock(mutex);
      if (!refused.emplace(name).second) return;
      log_error("metric {} is dropped: {}", name, refusal.what());
    }
  }
};

PrometheusMetrics::PrometheusMetrics() : impl_(std::make_unique<Impl>()) {}
PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::describe(std::string_view name, std::string_view help) {
  std::string line(help);
  // The serializer prints help raw, so a line break would end the comment and break the page.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  const std::unique_lock lock(impl_->mutex);
  impl_->help.insert_or_assign(std::string(name), std::move(line));
}

void PrometheusMetrics::add(std::string_view counter, double amount, ports::MetricLabels labels) {
  if (!std::isfinite(amount) || amount < 0) return;
  impl_->guarded(counter, [&] {
    const auto make = [&]() -> prometheus::Counter& {
      return impl_->family(impl_->counters, counter, prometheus::BuildCounter).Add(to_map(labels));
    };
    impl_->sample(impl_->counted, counter, labels, make).Increment(amount);
  });
}

void PrometheusMetrics::set(std::string_view gauge, double value, ports::MetricLabels labels) {
  impl_->guarded(gauge, [&] {
    impl_->family(impl_->gauges, gauge, prometheus::BuildGauge).Add(to_map(labels)).Set(value);
  });
}

void PrometheusMetrics::replace(std::string_view gauge, const std::vector<ports::GaugeSample>& series) {
  impl_->guarded(gauge, [&] {
    auto& family = impl_->family(impl_->gauges, gauge, prometheus::BuildGauge);
    const std::lock_guard lock(impl_->replacing);
    auto& present = impl_->replaced[std::string(gauge)];
    std::map<Impl::Labels, prometheus::Gauge*> kept;
    for (const auto& sample : series) {
      const Impl::Labels labels(sample.labels.begin(), sample.labels.end());
      prometheus::Gauge& one = family.Add(labels);
      one.Set(sample.value);
      kept.emplace(labels, &one);
      present.erase(labels);
    }
    for (const auto& [labels, gone] : present) family.Remove(gone);
    present = std::move(kept);
  });
}

void PrometheusMetrics::observe(std::string_view histogram, double seconds, ports::MetricLabels labels) {
  impl_->guarded(histogram, [&] {
    const auto make = [&]() -> prometheus::Histogram& {
      return impl_->family(impl_->histograms, histogram, prometheus::BuildHistogram)
          .Add(to_map(labels), seconds_buckets());
    };
    impl_->sample(impl_->observed, histogram, labels, make).Observe(seconds);
  });
}

std::string PrometheusMetrics::render() {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace drover::metrics
