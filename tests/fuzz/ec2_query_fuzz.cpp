// What the local cloud takes: a signed call of EC2's Query API. The input's first line is an Authorization
// header, the second an X-Amz-Date, the rest the form in the body.
#include <algorithm>

#include "drover/aws/ec2_xml.hpp"
#include "drover/aws/sigv4.hpp"
#include "drover/base/text.hpp"

#include "fuzz/property.hpp"
#include "localcloud/ec2_filters.hpp"
#include "localcloud/ec2_protocol.hpp"

using drover::fuzz::hold;
namespace aws = drover::aws;
namespace localcloud = drover::localcloud;

namespace {

using Form = std::vector<std::pair<std::string, std::string>>;

// A claim is well-formed, and what this program signs itself is read as what was signed.
void check_signature(std::string_view header, std::string_view date, std::string_view body) {
  const drover::Secret secret("secret");
  if (const auto time = aws::parse_amz_date(date))
    hold(aws::amz_date(*time) == date, "a date reads as another");
  if (const auto claim = aws::parse_authorization(header)) {
    const auto& names = claim->signed_headers;
    hold(!names.empty() && std::is_sorted(names.begin(), names.end()), "headers that are not in order");
    hold(std::adjacent_find(names.begin(), names.end()) == names.end(), "a header is signed twice");
    hold(claim->signature.size() == 64, "a signature of another length");
    const Form given{{"host", "x"}};
    (void)aws::expected_signature({.headers = given, .body = body}, *claim, date, secret);
  }
  Form headers{{"Host", "x"}, {"X-Fuzz", std::string(header)}};
  const aws::Credentials credentials{"AK", secret, {}, {}};
  const auto added = aws::sign({.headers = headers, .body = body}, credentials,
                               drover::WallTime{drover::Seconds{1'767'323'045}}, "eu-west-1", "ec2");
  headers.insert(headers.end(), added.begin(), added.end() - 1);
  const auto claim = aws::parse_authorization(added.back().second);
  hold(claim.has_value(), "our own signature is not read");
  const auto expected =
      aws::expected_signature({.headers = headers, .body = body}, *claim, added.front().second, secret);
  hold(expected == claim->signature, "our own signature is refused");
}

void check_form(std::string_view text) {
  const auto form = drover::parse_form(text);
  if (!form) return;
  std::string again;
  for (const auto& [name, value] : *form) {
    again += drover::percent_encode(name) + "=" + drover::percent_encode(value) + "&";
  }
  hold(drover::parse_form(again) == form, "a form written again reads as another");
}

void check_error(const drover::Error& error) {
  const auto read = aws::parse_aws_error(localcloud::ec2_error_response(error, "r-1"));
  hold(read && read->code == error.detail && read->request_id == "r-1",
       "an error that EC2's clients cannot read:", error.message);
}

void check_params(const localcloud::Params& params) {
  for (const std::string_view name : {"MaxCount", "MinCount", "MaxResults"}) {
    if (const auto number = params.integer(name); !number.ok()) check_error(number.error());
  }
  hold(params.list("InstanceId").size() <= params.all().size(), "more elements than were sent");
  const auto filters = localcloud::parse_filters(params);
  if (!filters.ok()) return check_error(filters.error());
  for (const localcloud::Filter& filter : *filters) {
    hold(!filter.values.empty(), "a filter without values");
    for (const std::string& value : filter.values) {
      std::string literal;
      for (const char c : value) (literal += '\\') += c;
      hold(localcloud::matches_wildcard(literal, value), "a text does not match itself");
      hold(localcloud::matches_wildcard("*", value), "a text does not match all");
      (void)localcloud::matches_wildcard(value, filter.values.front());
    }
  }
  // What a client tags comes back to it in a listing.
  const std::string reply =
      localcloud::ec2_response("DescribeInstances", "r-1",
                               "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>" +
                                   localcloud::Xml().leaf("clientToken", params.text("ClientToken")).text() +
                                   "</item></instancesSet></item></reservationSet>");
  const auto page = aws::parse_describe_instances(reply);
  hold(page.ok() && page->instances.size() == 1, "a listing that EC2's clients cannot read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = drover::fuzz::text_of(data, size);
  const auto line = [&] {
    const std::string_view taken = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), taken.size() + 1));
    return taken;
  };
  const std::string_view header = line();
  const std::string_view date = line();
  check_signature(header, date, rest);
  check_form(rest);
  if (const auto params = localcloud::parse_params(rest); params.ok()) {
    check_params(*params);
  } else {
    check_error(params.error());
  }
  return 0;
}
