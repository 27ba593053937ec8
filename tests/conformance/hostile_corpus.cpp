#include "conformance/hostile_corpus.hpp"

namespace drover::transport {
namespace {

std::string with_nul(std::string text) {
  text[text.find('#')] = '\0';
  return text;
}

}  // namespace

std::string chunked(std::string_view body, std::string_view fields) {
  return "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}

std::string lengths(std::string_view fields, std::string_view body) {
  return "POST /echo HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::vector<Hostile> hostile_corpus() {
  return {
      {"chunk size -1", chunked("-1\r\nab\r\n0\r\n\r\n"), {400}},
      {"chunk size 7fffffff", chunked("7fffffff\r\n"), {400, 413}},
      {"chunk size ffffffffff", chunked("ffffffffff\r\n"), {400, 413}},
      {"chunk size 2^64-1", chunked("ffffffffffffffff\r\n"), {400, 413}},
      {"chunk size 2^64", chunked("10000000000000000\r\n"), {400, 413}},
      {"chunk size not hexadecimal", chunked("xyz\r\n"), {400}},
      {"chunk size empty", chunked("\r\nab\r\n"), {400}},
      {"chunk size with a blank", chunked("2 2\r\nab\r\n"), {400}},
      {"chunk longer than said", chunked("2\r\nabc\r\n0\r\n\r\n"), {400}},
      {"last chunk with letters", chunked("0x\r\n\r\n"), {400}},
      {"chunk header without end", chunked(std::string(20'000, '1')), {400}},
      {"chunk extension without end", chunked("1;a=" + std::string(20'000, 'a')), {400}},
      {"trailers without end", chunked("0\r\n" + std::string(20'000, 'a')), {400}},
      {"trailer that is none", chunked("0\r\nno colon\r\n\r\n"), {400}},
      {"bare LF after the chunk size", chunked("2\nab\r\n0\r\n\r\n\r\n"), {400}},
      {"Content-Length -5", lengths("Content-Length: -5\r\n"), {400}},
      {"Content-Length +5", lengths("Content-Length: +5\r\n"), {400}},
      {"Content-Length 0x5", lengths("Content-Length: 0x5\r\n"), {400}},
      {"Content-Length abc", lengths("Content-Length: abc\r\n"), {400}},
      {"Content-Length empty", lengths("Content-Length:\r\n"), {400}},
      {"Content-Length 2^64-1", lengths("Content-Length: 18446744073709551615\r\n"), {400, 413}},
      {"Content-Length 2^64", lengths("Content-Length: 18446744073709551616\r\n"), {400, 413}},
      {"Content-Length twice", lengths("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef"), {400}},
      {"Content-Length list", lengths("Content-Length: 5, 6\r\n", "abcdef"), {400}},
      {"CL, then TE", lengths("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}},
      {"TE, then CL", lengths("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), {400}},
      {"unknown TE, then CL",
       lengths("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "abcde"),
       {400}},
      {"TE twice",
       lengths("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       {400, 501}},
      {"TE identity, then chunked",
       lengths("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
       {400, 501}},
      {"TE gzip", lengths("Transfer-Encoding: gzip\r\n"), {501}},
      {"TE gzip, chunked", lengths("Transfer-Encoding: gzip, chunked\r\n"), {501}},
      {"TE chunked, identity", lengths("Transfer-Encoding: chunked, identity\r\n"), {501}},
      {"TE on 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", {400}},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", {400}},
      {"two Hosts on 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", {400}},
      {"Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", {400}},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", {400}},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", {505}},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", {505}},
      {"HTTP/9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", {505}},
      {"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", {400, 505}},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}},
      {"no version", "GET /\r\n\r\n", {400}},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", {400}},
      {"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", {400}},
      {"bare LF in the header", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", {400}},
      {"bare CR", "GET / HTTP/1.1\rHost: a\r\n\r\n", {400}},
      {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", {400}},
      {"NUL in the target", with_nul("GET /# HTTP/1.1\r\nHost: a\r\n\r\n"), {400}},
      {"NUL in a name", with_nul("GET / HTTP/1.1\r\nHost: a\r\nX#: b\r\n\r\n"), {400}},
      {"NUL in a value", with_nul("GET / HTTP/1.1\r\nHost: a\r\nX: #\r\n\r\n"), {400}},
      {"control character in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", {400}},
      {"folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", {400}},
      {"folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", {400}},
      {"blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", {400}},
      {"field without colon", "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", {400}},
      {"field without name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", {400}},
      {"method that is none", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), {400}},
      {"path without slash", "GET echo HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"broken escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"escaped NUL", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"byte above 7f in the target", "GET /\xc3\xa9\xff HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"unknown expectation", lengths("Expect: a-miracle\r\nContent-Length: 2\r\n", "ab"), {417}},
      {"long target", "GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", {414}},
      {"endless target", "GET /" + std::string(20'000, 'a'), {414, 431}},
      {"large header", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n", {431}},
      {"many fields",
       "GET / HTTP/1.1\r\nHost: a\r\n" +
           [] {
             std::string fields;
             for (int i = 0; i < 5'000; ++i) fields += "A: b\r\n";
             return fields;
           }() +
           "\r\n",
       {431}},
  };
}

}  // namespace drover::transport
