#include "drover/core/job/suspects.hpp"

#include <algorithm>

namespace drover::core {

Seconds alone_time(SteadyTime::duration ran) {
  return std::clamp(std::chrono::ceil<Seconds>(2 * std::min<SteadyTime::duration>(ran, kAloneMax)), kAloneMin,
                    kAloneMax);
}

double credible_loss(int fleet, const Tunables& tunables) {
  return std::max(static_cast<double>(tunables.freeze_min),
                  tunables.freeze_share * static_cast<double>(fleet));
}

Offer offer(const Asker& asker, std::optional<ReadyKey> shared, std::optional<ReadyKey> suspect) {
  if (asker.alone) return Offer::nothing;
  if (asker.leases > 0) return shared && !asker.kept ? Offer::shared : Offer::nothing;
  if (suspect && (!shared || *suspect < *shared)) return Offer::suspect;
  return shared ? Offer::shared : Offer::nothing;
}

std::optional<WorkerId> keeps_free(std::span<const Candidate> workers) {
  const Candidate* least = nullptr;
  for (const Candidate& worker : workers) {
    if (worker.alone) continue;
    const bool less = least == nullptr || worker.leases < least->leases ||
                      (worker.leases == least->leases && worker.id < least->id);
    if (less) least = &worker;
  }
  return least == nullptr ? std::nullopt : std::optional(least->id);
}

}  // namespace drover::core
