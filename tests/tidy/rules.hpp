#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace drover::tidy {

// One breach of the layout: where, and what is wrong.
struct Finding {
  std::string file;
  int line = 0;
  std::string what;
  bool operator==(const Finding&) const = default;
};

// Which layers a layer may include beside itself and `base`.
const std::map<std::string, std::set<std::string>, std::less<>>& allowed_arrows();

// The layer a path belongs to ("src/aws/x.cpp", "include/drover/aws/x.hpp" → "aws"); empty: none.
std::string layer_of(std::string_view path);

// Each check reads the text of one source file; `path` is relative to the top of the tree.
std::vector<Finding> check_layers(std::string_view path, std::string_view text);
std::vector<Finding> check_third_party(std::string_view path, std::string_view text);
std::vector<Finding> check_core_is_pure(std::string_view path, std::string_view text);
std::vector<Finding> check_no_sql(std::string_view path, std::string_view text);
// Texts are kept in order (std::map, std::set): a client that knows the hash of a table can choose texts that
// all have the same, and make each look-up go through all of them.
std::vector<Finding> check_no_hashed_text(std::string_view path, std::string_view text);
std::vector<Finding> check_all(std::string_view path, std::string_view text);

}  // namespace drover::tidy
