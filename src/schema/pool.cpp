#include "drover/schema/pool.hpp"

#include <array>

#include <fmt/format.h>

#include "drover/base/limits.hpp"

namespace drover::schema {
namespace {

constexpr int kInstancesMax = 100'000;
constexpr int kDiskGibMax = 16'384;  // the largest gp3 volume
constexpr std::size_t kListMax = 64;
constexpr std::size_t kEc2NameMax = 64;
constexpr std::int64_t kDayS = 24 * 3600;
constexpr std::size_t kTagsMax = 40;  // EC2 takes 50 for a resource, and some are Drover's
constexpr std::size_t kTagKeyMax = 128;
constexpr std::size_t kTagValueMax = 256;
constexpr std::array<std::string_view, 2> kReservedTags{"aws:", "drover:"};

// The domain also names Auto Scaling groups, but no code launches them yet. A pool of them is refused, since
// it would be accepted and never get a machine.
constexpr std::array<std::string_view, 2> kProviders{"ec2", "none"};

// Dollars an hour, or nothing.
struct Price {
  static constexpr std::size_t kCharacters = 16;

  static void read(const Place& at, const Json& value, std::string& out) {
    Text{0, kCharacters}.read(at, value, out);
    if (at.failed() || out.empty()) return;
    const bool digits = out.find_first_not_of("0123456789.") == std::string::npos;
    if (!digits || out.find('.') != out.rfind('.') || out.find_first_of("123456789") == std::string::npos) {
      at.fail("must be dollars an hour such as \"0.045\", or empty for the on-demand price");
    }
  }
  static bool restore(const Json& value, std::string& out) { return Said{}.restore(value, out); }
  [[nodiscard]] static Json write(const std::string& value) { return value; }
  [[nodiscard]] static Json describe(Components& /*components*/) {
    Json out = Json::object().set("type", "string");
    return std::move(out.set("pattern", R"(^$|^(?=.*[1-9])(?=.{1,16}$)[0-9]*\.?[0-9]*$)"));
  }
};

constexpr List kEc2Names{Text{1, kEc2NameMax}, kListMax};
constexpr Pairs kTags{kTagsMax, kTagKeyMax, kTagValueMax, kReservedTags};

}  // namespace

const Table<core::PoolSpec>& pool_spec_table() {
  using P = core::PoolSpec;
  static const Table<P> table{
      "PoolSpec",
      Table<P>::Use::request,
      "How to get workers for a set of queues.",
      {field<P>("name", &P::name, ShortName{}, "The pool's name, which stays."),
       field<P>("provider", &P::provider, Enum<core::Provider>{kProviders, core::parse_provider},
                "ec2: Drover launches its machines; none: they come by themselves."),
       field<P>("queues", &P::queues, List{ShortName{}, kListMax},
                "That its workers serve; empty: the queue of the pool's name."),
       field<P>("min", &P::min, Whole{0, kInstancesMax}, "Machines that are kept even without work."),
       field<P>("max", &P::max, Whole{0, kInstancesMax}, "Machines at most."),
       field<P>("slots", &P::slots, Whole{1, limits::kSlotsPerWorker}, "Jobs at once per worker."),
       field<P>("instances_per_job", &P::instances_per_job, Number{0.001, 1000},
                "Machines wanted = waiting jobs × this / slots, rounded up."),
       field<P>("max_increase", &P::max_increase, Whole{1, 1000},
                "Machines asked for at most whenever the fleet is looked at."),
       field<P>("idle_timeout_s", &P::idle_timeout, Whole{0, 30 * kDayS},
                "Seconds without work after which a machine is ended."),
       field<P>("registration_timeout_s", &P::registration_timeout, Whole{10, kDayS},
                "Seconds that a machine has to start and register."),
       field<P>("market", &P::market, market()),
       field<P>("image", &P::image, Text{0, limits::kNameCharacters}, "AMI id; required of ec2."),
       field<P>("instance_types", &P::instance_types, kEc2Names, "Tried in order; required of ec2."),
       field<P>("subnets", &P::subnets, kEc2Names, "Tried in order; may be empty."),
       field<P>("security_groups", &P::security_groups, kEc2Names),
       field<P>("instance_profile", &P::instance_profile, Text{0, 128}, "Name of an IAM instance profile."),
       field<P>("key_name", &P::key_name, Text{0, 255}, "Name of a key pair for SSH."),
       field<P>("max_price", &P::max_price, Price{},
                "Dollars an hour, of market spot; empty: the on-demand price."),
       field<P>("disk_gib", &P::disk_gib, Whole{0, kDiskGibMax},
                "GiB of the root volume; 0: as the image says."),
       field<P>("tags", &P::tags, kTags,
                "Beside Drover's own, on instances, volumes, network interfaces and Spot requests.")},
      check_pool};
  return table;
}

const Table<core::LaunchRequest>& launch_request_table() {
  using L = core::LaunchRequest;
  static const Table<L> table{
      "LaunchRequest",
      Table<L>::Use::tolerant,
      "The frozen parameters of one launch.",
      {field<L>("client_token", &L::client_token, Said{}), field<L>("count", &L::count, Whole{}),
       field<L>("market", &L::market, market()), field<L>("image", &L::image, Said{}),
       field<L>("instance_type", &L::instance_type, Said{}), field<L>("subnet", &L::subnet, Said{}),
       field<L>("security_groups", &L::security_groups, List{Said{}}),
       field<L>("instance_profile", &L::instance_profile, Said{}), field<L>("key_name", &L::key_name, Said{}),
       field<L>("max_price", &L::max_price, Said{}), field<L>("user_data", &L::user_data, Said{}),
       field<L>("disk_gib", &L::disk_gib, Whole{}), field<L>("tags", &L::tags, kTags)}};
  return table;
}

// When two members contradict each other, the error names one that the request has.
void check_pool(const Place& at, const Json& given, const core::PoolSpec& pool) {
  const auto has = [&](std::string_view key) { return given.find(key) != nullptr; };
  if (pool.min > pool.max && (has("min") || !has("max"))) {
    at.member("min").fail(fmt::format("must not be above max ({})", pool.max));
  } else if (pool.min > pool.max) {
    at.member("max").fail(fmt::format("must not be below min ({})", pool.min));
  }
  // Only when one of the two is written: older versions stored both, and edits of the rest must go on.
  const bool priced = pool.market == core::Market::on_demand && !pool.max_price.empty();
  if (priced && has("max_price")) {
    at.member("max_price").fail("is for market spot; machines on demand have a fixed price");
  } else if (priced && has("market")) {
    at.member("market").fail(
        fmt::format("cannot be on_demand with max_price ({}); empty that too", pool.max_price));
  }
  if (pool.provider != core::Provider::ec2) return;
  if (pool.image.empty()) at.member("image").fail("is required of an ec2 pool");
  if (pool.instance_types.empty()) at.member("instance_types").fail("must name at least one type");
}

Enum<core::Market> market() {
  return {core::market_names(), core::parse_market};
}

Enum<core::WorkerState> worker_state() {
  return {core::worker_state_names(), core::parse_worker_state, "WorkerState"};
}

}  // namespace drover::schema
