#pragma once

#include <memory>

#include "drover/app/config.hpp"
#include "drover/aws/credentials.hpp"
#include "drover/ports/cloud.hpp"
#include "drover/ports/http_client.hpp"
#include "drover/ports/store.hpp"

// What several programs of this layer are put together from.
namespace drover::app {

std::unique_ptr<ports::Store> make_store(const Settings& settings);

// EC2 as the settings say, or a cloud that refuses every call where the provider is "none".
struct CloudParts {
  std::unique_ptr<aws::CredentialsProvider> credentials;
  std::unique_ptr<ports::Cloud> cloud;
};
// `http` and `clock` must outlive the parts. invalid: a region is missing, or the endpoint is none.
Result<CloudParts> make_cloud(const Settings& settings, ports::HttpClient& http, const Clock& clock);

}  // namespace drover::app
