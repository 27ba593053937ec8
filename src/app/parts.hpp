#pragma once

#include <memory>

#include "drover/app/config.hpp"
#include "drover/aws/credentials.hpp"
#include "drover/aws/ec2_cloud.hpp"
#include "drover/ports/cloud.hpp"
#include "drover/ports/http_client.hpp"
#include "drover/ports/store.hpp"
#include "drover/postgres/pg_store.hpp"

// Parts that several programs of this layer share.
namespace drover::app {

// Connections that the reads of clients (store.read_connections) never hold: one for each thread of the API's
// duties, for the reconciler, and for the daemon's own start.
inline constexpr int kDutyThreads = 4;
inline constexpr int kKeptConnections = kDutyThreads + 2;

postgres::PgOptions pg_options(const Settings& settings);
std::unique_ptr<ports::Store> make_store(const Settings& settings);

// EC2 as the settings say, or a cloud that refuses every call where the provider is "none".
struct CloudParts {
  std::unique_ptr<aws::CredentialsProvider> credentials;
  std::unique_ptr<ports::Cloud> cloud;
};
// `http` and `clock` must outlive the parts. invalid: a region is missing, or the endpoint is none.
Result<CloudParts> make_cloud(const Settings& settings, ports::HttpClient& http, const Clock& clock);

// EC2 itself, whatever the provider is.
struct Ec2Parts {
  std::unique_ptr<aws::CredentialsProvider> credentials;
  std::unique_ptr<aws::Ec2Cloud> cloud;
};
Result<Ec2Parts> make_ec2(const Settings& settings, ports::HttpClient& http, const Clock& clock);

}  // namespace drover::app
