#pragma once

#include "service.hpp"

// One function a route; the table in routes.cpp says which. Each answers its call exactly once, now or later.
namespace drover::api {

// index.cpp
void get_index(const ServicePtr& service, const CallPtr& call);
void get_openapi(const ServicePtr& service, const CallPtr& call);
// jobs.cpp
void post_jobs(const ServicePtr& service, const CallPtr& call);
void list_jobs(const ServicePtr& service, const CallPtr& call);
void get_job(const ServicePtr& service, const CallPtr& call);
void hold_job(const ServicePtr& service, const CallPtr& call);
void release_job(const ServicePtr& service, const CallPtr& call);
void cancel_job(const ServicePtr& service, const CallPtr& call);
void requeue_job(const ServicePtr& service, const CallPtr& call);
void list_attempts(const ServicePtr& service, const CallPtr& call);
void get_explain(const ServicePtr& service, const CallPtr& call);
// job_files.cpp
void get_log(const ServicePtr& service, const CallPtr& call);
void list_artifacts(const ServicePtr& service, const CallPtr& call);
void get_artifact(const ServicePtr& service, const CallPtr& call);
void get_checkpoint(const ServicePtr& service, const CallPtr& call);
// worker_protocol.cpp
void get_bootstrap(const ServicePtr& service, const CallPtr& call);
void register_worker(const ServicePtr& service, const CallPtr& call);
void claim(const ServicePtr& service, const CallPtr& call);
void heartbeat(const ServicePtr& service, const CallPtr& call);
void finish_attempt(const ServicePtr& service, const CallPtr& call);
void release_attempt(const ServicePtr& service, const CallPtr& call);
// worker_files.cpp
void post_log(const ServicePtr& service, const CallPtr& call);
void put_artifact(const ServicePtr& service, const CallPtr& call);
void put_checkpoint(const ServicePtr& service, const CallPtr& call);
// pools.cpp
void list_pools(const ServicePtr& service, const CallPtr& call);
void create_pool(const ServicePtr& service, const CallPtr& call);
void get_pool(const ServicePtr& service, const CallPtr& call);
void put_pool(const ServicePtr& service, const CallPtr& call);
void patch_pool(const ServicePtr& service, const CallPtr& call);
// workers.cpp
void list_workers(const ServicePtr& service, const CallPtr& call);
void get_worker(const ServicePtr& service, const CallPtr& call);
void drain_worker(const ServicePtr& service, const CallPtr& call);
void activate_worker(const ServicePtr& service, const CallPtr& call);
void terminate_worker(const ServicePtr& service, const CallPtr& call);
// config.cpp
void get_config(const ServicePtr& service, const CallPtr& call);
void put_config(const ServicePtr& service, const CallPtr& call);
// scheduler.cpp
void get_scheduler(const ServicePtr& service, const CallPtr& call);
void patch_scheduler(const ServicePtr& service, const CallPtr& call);
// status.cpp
void get_status(const ServicePtr& service, const CallPtr& call);
// queues.cpp
void list_queues(const ServicePtr& service, const CallPtr& call);
// health.cpp
void get_healthz(const ServicePtr& service, const CallPtr& call);
void get_readyz(const ServicePtr& service, const CallPtr& call);
void get_metrics(const ServicePtr& service, const CallPtr& call);
void describe_gauges(ports::Metrics& metrics);

}  // namespace drover::api
