#include "tidy/rules.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <regex>
#include <utility>

namespace drover::tidy {
namespace {

const std::set<std::string> kEverything = {
    "core",      "schema",  "ports", "engine",    "services", "reconcile",  "postgres", "net", "aws",
    "artifacts", "metrics", "http",  "transport", "api",      "localcloud", "worker",   "cli"};

// Third-party headers by the beginning of what stands between the brackets, and the layers that own them. fmt
// is not among them: it is part of the interface of base/log.hpp.
struct Owner {
  std::string_view prefix;
  std::set<std::string> layers;
};
const std::vector<Owner>& owners() {
  static const std::vector<Owner> table = {
      {"nlohmann/", {"base"}},      {"spdlog/", {"base"}},       {"openssl/", {"base"}},
      {"boost/", {"transport"}},    {"cpprest/", {"transport"}}, {"pplx/", {"transport"}},
      {"curl/", {"net"}},           {"libxml/", {"aws"}},        {"libpq-fe.h", {"postgres"}},
      {"libpq/", {"postgres"}},     {"toml++/", {"app"}},        {"CLI/", {"cli"}},
      {"prometheus/", {"metrics"}},
  };
  return table;
}

std::vector<std::pair<int, std::string>> lines_of(std::string_view text) {
  std::vector<std::pair<int, std::string>> lines;
  int number = 1;
  for (std::size_t at = 0; at <= text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(number, std::string(text.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

struct Include {
  int line = 0;
  bool quoted = false;
  std::string name;
};

std::vector<Include> includes_of(std::string_view text) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  for (const auto& [number, line] : lines_of(text)) {
    std::smatch match;
    if (std::regex_search(line, match, pattern)) found.push_back({number, match[1] == "\"", match[2]});
  }
  return found;
}

// The text with comments and the inside of literals replaced by spaces (code), or with everything but the
// inside of string literals replaced (literals). Line breaks stay, so that line numbers hold.
struct Split {
  std::string code;
  std::string literals;
};

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text), split_{blank(text), blank(text)} {}

  Split run() {
    while (at_ < text_.size()) {
      if (starts("//")) {
        skip_to(text_.find('\n', at_));
      } else if (starts("/*")) {
        skip_to(text_.find("*/", at_ + 2), 2);
      } else if (starts("R\"") && !after_word()) {
        raw_string();
      } else if (text_[at_] == '"') {
        quoted('"');
      } else if (text_[at_] == '\'' && !after_word()) {  // 1'000 is a number
        quoted('\'');
      } else {
        split_.code[at_] = text_[at_];
        ++at_;
      }
    }
    return std::move(split_);
  }

 private:
  static std::string blank(std::string_view text) {
    std::string out(text.size(), ' ');
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') out[i] = '\n';
    }
    return out;
  }
  [[nodiscard]] bool starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  [[nodiscard]] bool after_word() const {
    return at_ > 0 &&
           (std::isalnum(static_cast<unsigned char>(text_[at_ - 1])) != 0 || text_[at_ - 1] == '_');
  }
  void skip_to(std::size_t end, std::size_t more = 0) {
    at_ = end == std::string_view::npos ? text_.size() : end + more;
  }
  void literal(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) split_.literals[i] = text_[i];
  }
  void quoted(char quote) {
    const std::size_t from = ++at_;
    while (at_ < text_.size() && text_[at_] != quote) at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_, text_.size());
    if (quote == '"') literal(from, at_);
    ++at_;
  }
  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string_view::npos) return skip_to(open);
    const std::string close = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
    const std::size_t end = std::min(text_.find(close, open), text_.size());
    literal(open + 1, end);
    at_ = std::min(end + close.size(), text_.size());
  }

  std::string_view text_;
  Split split_;
  std::size_t at_ = 0;
};

std::vector<Finding> search(std::string_view path, const std::string& text, const std::regex& pattern,
                            std::string_view what) {
  std::vector<Finding> found;
  for (const auto& [number, line] : lines_of(text)) {
    std::smatch match;
    if (std::regex_search(line, match, pattern)) {
      found.push_back({std::string(path), number, std::string(what) + ": " + match.str()});
    }
  }
  return found;
}

void append(std::vector<Finding>& to, std::vector<Finding> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

const std::map<std::string, std::set<std::string>, std::less<>>& allowed_arrows() {
  // The table of docs/architecture.md. Whoever calls the engine speaks the words of its interface, which are
  // those of core and ports: services and api may include them.
  static const std::map<std::string, std::set<std::string>, std::less<>> table = {
      {"base", {}},
      {"core", {}},
      {"schema", {"core"}},
      {"ports", {"core"}},
      {"engine", {"core", "ports"}},
      {"services", {"core", "ports", "engine"}},
      {"reconcile", {"core", "ports", "engine"}},
      {"postgres", {"core", "schema", "ports"}},
      {"memstore", {"core", "ports"}},
      {"net", {"core", "ports"}},
      {"aws", {"core", "ports"}},
      {"artifacts", {"core", "ports"}},
      {"metrics", {"core", "ports"}},
      {"http", {}},
      {"transport", {"http"}},
      {"api", {"core", "schema", "ports", "engine", "services", "http"}},
      {"localcloud", {"core", "ports", "http", "transport", "aws"}},
      {"worker", {}},
      {"cli", {"ports", "net"}},
      {"app", kEverything},
  };
  return table;
}

std::string layer_of(std::string_view path) {
  for (const std::string_view root : {"src/", "include/drover/"}) {
    if (!path.starts_with(root)) continue;
    const std::string_view rest = path.substr(root.size());
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos) return std::string(rest.substr(0, slash));
  }
  return {};
}

std::vector<Finding> check_layers(std::string_view path, std::string_view text) {
  const std::string layer = layer_of(path);
  const auto row = allowed_arrows().find(layer);
  if (row == allowed_arrows().end())
    return {{std::string(path), 1, "'" + layer + "' is not a layer of the table"}};
  std::vector<Finding> found;
  for (const Include& include : includes_of(text)) {
    if (!include.name.starts_with("drover/")) continue;  // a header of the layer's own folder, or not ours
    const std::string target = layer_of("include/" + include.name);
    if (target == layer || target == "base" || row->second.contains(target)) continue;
    found.push_back({std::string(path), include.line, layer + " may not include " + include.name});
  }
  // A private header of another layer, reached by a relative path.
  for (const Include& include : includes_of(text)) {
    if (include.name.find("..") == std::string::npos) continue;
    found.push_back({std::string(path), include.line, "relative path out of the folder: " + include.name});
  }
  return found;
}

std::vector<Finding> check_third_party(std::string_view path, std::string_view text) {
  const std::string layer = layer_of(path);
  std::vector<Finding> found;
  for (const Include& include : includes_of(text)) {
    for (const Owner& owner : owners()) {
      if (!include.name.starts_with(owner.prefix) || owner.layers.contains(layer)) continue;
      found.push_back({std::string(path), include.line, include.name + " does not belong to layer " + layer});
    }
  }
  return found;
}

std::vector<Finding> check_core_is_pure(std::string_view path, std::string_view text) {
  if (layer_of(path) != "core") return {};
  static const std::regex calls(
      R"(\b(system_clock|steady_clock|high_resolution_clock|utc_clock)::now\b|\bSystemClock\b|\b(time|clock|gettimeofday|clock_gettime|getenv|secure_getenv|setenv|rand|srand|random|printf|fprintf|puts|syslog)\s*\(|\brandom_device\b|\bmt19937|\brandom_(token|u64)\b|\bmake_random_uuid\b|\blog_(debug|info|warn|error|line)\b|\b(cout|cerr|clog)\b)");
  std::vector<Finding> found =
      search(path, Splitter(text).run().code, calls, "core takes time, chance and surroundings as arguments");
  for (const Include& include : includes_of(text)) {
    static const std::set<std::string> banned = {
        "drover/base/log.hpp", "random", "iostream", "fstream", "cstdio", "thread", "unistd.h",
        "filesystem",          "ctime"};
    if (banned.contains(include.name)) {
      found.push_back({std::string(path), include.line, "core does no I/O: " + include.name});
    }
  }
  return found;
}

std::vector<Finding> check_no_sql(std::string_view path, std::string_view text) {
  if (layer_of(path).empty()) return {};
  // BEGIN, COMMIT, ROLLBACK and SET, which the writer's session is driven by, are not statements of this
  // kind.
  static const std::regex statements(
      R"(\b(SELECT\s+\S|INSERT\s+INTO\b|DELETE\s+FROM\b|UPDATE\s+\w+\s+SET\b|(CREATE|ALTER|DROP)\s+(UNIQUE\s+)?(TABLE|INDEX|SEQUENCE|TYPE|FUNCTION)\b|TRUNCATE\s+\w|COPY\s+\w+.*\b(FROM|TO)\b)|\b(select\s+.+\sfrom\s|insert\s+into\s|delete\s+from\s|update\s+\w+\s+set\s))");
  return search(path, Splitter(text).run().literals, statements, "SQL belongs into src/postgres/*/*.sql");
}

std::vector<Finding> check_no_hashed_text(std::string_view path, std::string_view text) {
  // The texts in these are our own: the names of metrics' labels.
  if (path == "src/metrics/prometheus_metrics.cpp") return {};
  static const std::regex hashed(R"(\bunordered_(multi)?(map|set)<\s*(std::)?string(_view)?\b)");
  return search(path, Splitter(text).run().code, hashed, "texts are kept in order, not hashed");
}

std::vector<Finding> check_all(std::string_view path, std::string_view text) {
  std::vector<Finding> found = check_layers(path, text);
  append(found, check_third_party(path, text));
  append(found, check_core_is_pure(path, text));
  append(found, check_no_sql(path, text));
  append(found, check_no_hashed_text(path, text));
  return found;
}

}  // namespace drover::tidy
