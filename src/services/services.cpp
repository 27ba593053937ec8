#include "drover/services/services.hpp"

namespace drover::services {

Services make_services(const ServiceParts& parts) {
  Services made;
  made.jobs = make_jobs(parts.engine, parts.reads, parts.artifacts, parts.clock);
  made.explain = make_explain(parts.engine, *made.jobs, parts.board, parts.clock);
  made.pools = make_pools(parts.engine, parts.reads, parts.clock);
  made.workers = make_workers(parts.engine, parts.reads, parts.artifacts, parts.clock);
  made.scheduler = make_scheduler(parts.engine, parts.reads, parts.board, parts.unready, parts.clock);
  return made;
}

}  // namespace drover::services
