#include "imds.hpp"

#include <map>
#include <utility>

#include "drover/base/json.hpp"
#include "drover/base/text.hpp"
#include "drover/http/hosts.hpp"

namespace drover::localcloud {

namespace {

constexpr std::int64_t kTokenSecondsMax = 21'600;
constexpr std::string_view kTokenHeader = "x-aws-ec2-metadata-token";
constexpr std::string_view kTtlHeader = "x-aws-ec2-metadata-token-ttl-seconds";

std::int64_t steady_seconds() {
  return std::chrono::duration_cast<Seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Path below /latest → text, in the order of a listing.
using Tree = std::map<std::string, std::string, std::less<>>;

void add_spot(const Instance& instance, Tree& tree) {
  if (!instance.interrupt_at) return;
  const auto time = imds_time(*instance.interrupt_at);
  tree["meta-data/spot/instance-action"] = Json::object().set("action", "terminate").set("time", time).dump();
  tree["meta-data/spot/termination-time"] = time;
}

Tree make_tree(const Instance& instance) {
  const bool spot = instance.market == core::Market::spot;
  Tree tree;
  tree["meta-data/ami-id"] = instance.image;
  tree["meta-data/ami-launch-index"] = std::to_string(instance.launch_index);
  tree["meta-data/hostname"] = "localhost";
  tree["meta-data/instance-action"] = "none";
  tree["meta-data/instance-id"] = instance.id;
  tree["meta-data/instance-life-cycle"] = spot ? "spot" : "on-demand";
  tree["meta-data/instance-type"] = instance.type;
  tree["meta-data/local-hostname"] = "localhost";
  tree["meta-data/local-ipv4"] = instance.private_ip;
  tree["meta-data/placement/availability-zone"] = instance.zone;
  tree["meta-data/placement/region"] = instance.region;
  tree["meta-data/reservation-id"] = instance.reservation;
  add_spot(instance, tree);
  for (const auto& [key, value] : instance.shows_tags ? instance.tags : Tags()) {
    tree["meta-data/tags/instance/" + key] = value;
  }
  tree["dynamic/instance-identity/document"] = Json::object()
                                                   .set("imageId", instance.image)
                                                   .set("instanceId", instance.id)
                                                   .set("instanceType", instance.type)
                                                   .set("availabilityZone", instance.zone)
                                                   .set("region", instance.region)
                                                   .set("privateIp", instance.private_ip)
                                                   .set("pendingTime", imds_time(instance.launched_at))
                                                   .dump();
  return tree;
}

// The names directly below `folder` (which ends in '/'), those with more below them with a slash.
std::string list_folder(const Tree& tree, const std::string& folder) {
  std::string out;
  std::string last;
  for (auto at = tree.lower_bound(folder); at != tree.end() && at->first.starts_with(folder); ++at) {
    const auto rest = std::string_view(at->first).substr(folder.size());
    const auto slash = rest.find('/');
    const auto name = std::string(rest.substr(0, slash == std::string_view::npos ? slash : slash + 1));
    if (name == last) continue;
    out += (out.empty() ? "" : "\n") + name;
    last = name;
  }
  return out;
}

}  // namespace

Imds::Imds(std::function<Result<Instance>()> load, std::function<std::string()> user_data)
    : load_(std::move(load)), user_data_(std::move(user_data)), key_(random_token()) {}

std::variant<http::BodyPolicy, http::Response> Imds::on_head(const http::Request& head) {
  // A page in a browser on this machine could ask for a token, and with it for the secrets in the user data,
  // once its own host name resolves to this address. So only the address and EC2's own names are served.
  static const http::ServedHosts hosts({"instance-data", "instance-data.ec2.internal"});
  if (head.named_host() && !hosts.serves(head.host()))
    return http::Response::text(421, "Misdirected Request");
  return http::BodyPolicy{1024, false};
}

void Imds::on_request(http::Request request, http::Reply reply) {
  reply.send(answer(request));
}

http::Response Imds::make_token(const http::Request& request) const {
  if (request.method != "PUT") return http::Response::text(405, "Method Not Allowed");
  // A request that came through a proxy may not be the instance's own.
  if (!request.header("x-forwarded-for").empty()) return http::Response::text(403, "Forbidden");
  const auto ttl = parse_int(request.header(kTtlHeader));
  if (!ttl || *ttl < 1 || *ttl > kTokenSecondsMax) return http::Response::text(400, "Bad Request");
  const auto expiry = std::to_string(steady_seconds() + *ttl);
  const auto token = expiry + "-" + to_hex(hmac_sha256(key_.reveal(), expiry));
  return http::Response::text(200, token).with(std::string(kTtlHeader), std::to_string(*ttl));
}

bool Imds::valid_token(std::string_view token) const {
  const auto dash = token.find('-');
  if (dash == std::string_view::npos) return false;
  const auto expiry = token.substr(0, dash);
  const auto number = parse_int(expiry);
  return number && *number > steady_seconds() &&
         equal_constant_time(token.substr(dash + 1), to_hex(hmac_sha256(key_.reveal(), expiry)));
}

http::Response Imds::answer(const http::Request& request) const {
  if (request.path == "/latest/api/token") return make_token(request);
  if (request.method != "GET" && request.method != "HEAD")
    return http::Response::text(405, "Method Not Allowed");
  if (!valid_token(request.header(kTokenHeader))) return http::Response::text(401, "Unauthorized");
  constexpr std::string_view kPrefix = "/latest/";
  if (!request.path.starts_with(kPrefix)) return http::Response::text(404, "Not Found");
  auto path = request.path.substr(kPrefix.size());
  if (path == "user-data") {
    auto data = user_data_();
    return data.empty() ? http::Response::text(404, "Not Found") : http::Response::text(200, std::move(data));
  }
  const auto instance = load_();
  if (!instance.ok()) return http::Response::text(503, "Service Unavailable");
  const auto tree = make_tree(*instance);
  if (const auto leaf = tree.find(path); leaf != tree.end()) return http::Response::text(200, leaf->second);
  if (!path.ends_with('/')) path += '/';
  auto listing = list_folder(tree, path);
  return listing.empty() ? http::Response::text(404, "Not Found")
                         : http::Response::text(200, std::move(listing));
}

}  // namespace drover::localcloud
