#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace drover::transport {

// Bytes that no server may take for a request. The answer is one of these, the same however the bytes are cut
// into segments; then the connection ends, and the server lives.
struct Hostile {
  std::string name;
  std::string bytes;
  std::set<int> allowed;
};

std::vector<Hostile> hostile_corpus();

// A POST to /echo in chunks, or with fields of its own.
std::string chunked(std::string_view body, std::string_view fields = {});
std::string lengths(std::string_view fields, std::string_view body = {});

}  // namespace drover::transport
