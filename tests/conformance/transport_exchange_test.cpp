#include <fstream>
#include <set>

#include "conformance/transport_case.hpp"

namespace drover::transport {
namespace {

constexpr std::string_view kEcho =
    "POST /echo?a=b%20c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "4\r\nwiki\r\n00005;name=\"va;lue\"\r\npedia\r\n0\r\nTrailer: x\r\n\r\n";

CONFORMANCE(AnswersAndKeepsTheConnection) {
  serve();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    client.send(post("/echo?a=1&b=", "hello"));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came());
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /echo a=1 b=\nhello");
    EXPECT_EQ(answer.head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
    EXPECT_EQ(answer.field("server"), "drover");
    EXPECT_EQ(answer.field("date").size(), 29U);
    EXPECT_FALSE(answer.has("connection"));
  }
  EXPECT_TRUE(eventually([&] { return handler_.delivered.load() == 3; }));
}

CONFORMANCE(ReadsPlainChunksInPiecesOfAnySize) {
  serve();
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4\r\nwiki\r\n05\r\npedia\r\n0\r\n\r\n";
  RawClient whole(port());
  whole.send(request);
  EXPECT_EQ(whole.read_answer().body, "POST /echo\nwikipedia");
  RawClient single(port());
  single.send_bytewise(request);
  EXPECT_EQ(single.read_answer().body, "POST /echo\nwikipedia");
}

CONFORMANCE(ReadsChunksAndIgnoresTrailers) {
  serve();
  RawClient client(port());
  client.send(kEcho);
  EXPECT_EQ(client.read_answer().body, "POST /echo a=b c\nwikipedia");
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
}

CONFORMANCE(TakesARequestByteByByte) {
  serve();
  RawClient client(port());
  client.send_bytewise(kEcho);
  EXPECT_EQ(client.read_answer().body, "POST /echo a=b c\nwikipedia");
  client.send_bytewise("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "POST /echo\n");
  client.send_bytewise(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\na:b\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "POST /echo\n0");
  client.send_bytewise("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n00\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "POST /echo\n");
  client.send_bytewise(post("/echo", "0\r\n"));
  EXPECT_EQ(client.read_answer().body, "POST /echo\n0\r\n");
}

CONFORMANCE(TakesChunksCutAnywhere) {
  serve();
  for (std::size_t cut = 1; cut < kEcho.size(); ++cut) {
    RawClient client(port());
    client.send(kEcho.substr(0, cut));
    std::this_thread::yield();
    client.send(kEcho.substr(cut));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came()) << cut;
    EXPECT_EQ(answer.body, "POST /echo a=b c\nwikipedia") << cut;
  }
}

CONFORMANCE(AnswersPipelinedRequestsInOrder) {
  serve();
  RawClient client(port());
  std::string all;
  for (int i = 0; i < 100; ++i)
    all += i % 2 == 0 ? get("/echo?n=" + std::to_string(i)) : post("/echo", std::to_string(i));
  client.send(all);
  for (int i = 0; i < 100; ++i) {
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came());
    const std::string number = std::to_string(i);
    EXPECT_EQ(answer.body, i % 2 == 0 ? "GET /echo n=" + number + "\n" : "POST /echo\n" + number);
  }
}

CONFORMANCE(KeepsPipelinedBytesWhileAReplyIsPending) {
  serve();
  RawClient client(port());
  client.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  client.send(post("/echo", "second"));
  client.send(get("/echo?third"));
  EXPECT_TRUE(reply.open());
  EXPECT_EQ(handler_.requests.load(), 1);
  reply.send(http::Response::text(200, "first"));
  EXPECT_EQ(client.read_answer().body, "first");
  EXPECT_EQ(client.read_answer().body, "POST /echo\nsecond");
  EXPECT_EQ(client.read_answer().body, "GET /echo third=\n");
}

CONFORMANCE(SkipsEmptyLinesBeforeARequest) {
  serve();
  RawClient client(port());
  client.send("\r\n\r\n" + get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
  client.send("\r\n" + get("/echo"));
  EXPECT_EQ(client.read_answer().body, "GET /echo\n");
}

CONFORMANCE(TakesTheAbsoluteForm) {
  serve();
  EXPECT_EQ(ask("GET http://elsewhere:1/echo?x=1 HTTP/1.1\r\nHost: x\r\n\r\n").body, "GET /echo x=1\n");
}

CONFORMANCE(SeesTheTargetAsItWasSent) {
  std::string seen;
  handler_.custom = [&](const http::Request& request) {
    seen = request.method + " " + request.path + " " + request.raw_path;
    for (const auto& [name, value] : request.query) seen += " " + name + "=" + value;
    return http::Response::text(200, "");
  };
  serve();
  const std::pair<std::string, std::string> table[] = {
      {"/custom", "GET /custom /custom"},
      {"/custo%6D?", "GET /custom /custo%6D"},
      {"/custom?a=1&b=&c&a=%26+%2B", "GET /custom /custom a=1 b= c= a=& +"},
      {"/%63ustom?%C3%A9=%2F", "GET /custom /%63ustom \xc3\xa9=/"},
      {"http://elsewhere:8/custom?x", "GET /custom /custom x="},
  };
  for (const auto& [target, expected] : table) {
    seen.clear();
    ask(get(target));
    EXPECT_EQ(seen, expected) << target;
  }
}

CONFORMANCE(TakesATargetWithUnescapedPunctuation) {
  serve();
  EXPECT_EQ(ask(get("/echo?x={\"}|^")).body, "GET /echo x={\"}|^\n");
}

CONFORMANCE(SeesTheMethodAsItWasSent) {
  serve();
  EXPECT_EQ(ask("get /echo HTTP/1.1\r\nHost: x\r\n\r\n").body, "get /echo\n");
}

CONFORMANCE(LeavesTheBodyOutForHead) {
  serve();
  RawClient client(port());
  client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto head = client.read_answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("content-length"), "11");
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(eventually([&] { return handler_.delivered.load() == 1; }));
}

CONFORMANCE(KeepsTheConnectionAfterHead) {
  serve();
  RawClient client(port());
  client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer(true).status, 200);
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
}

CONFORMANCE(ClosesWhenTheClientWants) {
  serve();
  RawClient client(port());
  client.send(get("/", "Connection: close\r\n"));
  EXPECT_EQ(client.read_answer().field("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

CONFORMANCE(ClosesAfterHttp10UnlessAskedToStay) {
  serve();
  RawClient plain(port());
  plain.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(plain.read_answer().body, "ok");
  EXPECT_TRUE(plain.at_end());
  RawClient kept(port());
  for (int i = 0; i < 2; ++i) {
    kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(kept.read_answer().field("connection"), "keep-alive");
  }
}

CONFORMANCE(InvitesABodyThatWaits) {
  serve();
  RawClient client(port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  const auto invitation = client.read_answer();
  ASSERT_TRUE(invitation.came());
  EXPECT_EQ(invitation.status, 100);
  client.send("hello");
  EXPECT_EQ(client.read_answer().body, "POST /echo\nhello");
}

CONFORMANCE(RefusesInsteadOfInviting) {
  serve();
  RawClient client(port());
  client.send("POST /none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 404);
  EXPECT_TRUE(client.at_end());
  RawClient large(port());
  large.send("POST /small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_EQ(large.read_answer().status, 413);
  EXPECT_TRUE(large.at_end());
}

CONFORMANCE(KeepsTheConnectionAfterASmallRefusedBody) {
  serve();
  RawClient client(port());
  client.send(post("/none", "some body"));
  EXPECT_EQ(client.read_answer().status, 404);
  client.send(get("/none"));
  EXPECT_EQ(client.read_answer().status, 404);
  client.send(post("/small", "12345678901"));
  EXPECT_EQ(client.read_answer().status, 413);
  client.send(get("/echo"));
  EXPECT_EQ(client.read_answer().body, "GET /echo\n");
  EXPECT_EQ(handler_.requests.load(), 1);
}

CONFORMANCE(TakesABodyOfExactlyTheLimit) {
  serve();
  EXPECT_EQ(ask(post("/small", "1234567890")).status, 200);
  EXPECT_EQ(ask(post("/echo", std::string(1024 * 1024, 'x'))).body.size(), 11U + 1024 * 1024);
}

CONFORMANCE(SpoolsABodyAndRemovesTheFile) {
  serve();
  std::string body(5'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i / 1000 % 26);
  RawClient client(port());
  client.send(post("/spool", body));
  const auto answer = client.read_answer();
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body == body);
  EXPECT_EQ(answer.field("x-body-bytes"), "0");
  EXPECT_EQ(answer.field("x-path").find(directory_.string()), 0U);
  EXPECT_TRUE(eventually([&] { return files() == 0; }));
  client.send(post("/spool", ""));
  EXPECT_EQ(client.read_answer().body, "");
}

CONFORMANCE(RemovesTheFileOfABodyThatBreaksOff) {
  serve();
  RawClient client(port());
  client.send("POST /spool HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + std::string(5000, 'x'));
  ASSERT_TRUE(eventually([&] { return files() == 1; }));
  client.reset();
  EXPECT_TRUE(eventually([&] { return files() == 0; }));
  EXPECT_EQ(handler_.requests.load(), 0);
}

CONFORMANCE(SaysWhenThereIsNowhereToSpool) {
  serve();
  std::filesystem::remove_all(directory_);
  RawClient client(port());
  client.send(post("/spool", "abc"));
  EXPECT_EQ(client.read_answer().status, 500);
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().status, 200);
}

CONFORMANCE(BoundsTheMemoryOfAllBodies) {
  options_.max_buffered_bytes = 1000;
  serve();
  const auto refused = ask(post("/echo", std::string(1001, 'x')));
  ASSERT_TRUE(refused.came());
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("retry-after"), "1");
  RawClient holder(port());
  holder.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + std::string(800, 'x'));
  EXPECT_TRUE(eventually([&] { return ask(post("/echo", std::string(300, 'x'))).status == 503; }));
  holder.close();
  EXPECT_TRUE(eventually([&] { return ask(post("/echo", std::string(1000, 'x'))).status == 200; }));
}

CONFORMANCE(SendsPartOfAFile) {
  const std::string path = (directory_ / "log").string();
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + "\n";
  FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  handler_.custom = [&](const http::Request& request) {
    http::Response response;
    const auto number = [&](const char* name) { return std::stoll(std::string(*request.query_value(name))); };
    response.body =
        http::FileBody{request.query_value("none") ? path + "none" : path, number("from"), number("length")};
    return response;
  };
  serve();
  RawClient client(port());
  client.send(get("/custom?from=1000&length=1000000"));
  EXPECT_TRUE(client.read_answer().body == text.substr(1000, 1'000'000));
  client.send(get("/custom?from=0&length=0"));
  EXPECT_EQ(client.read_answer().body, "");
  for (const char* target :
       {"/custom?none&from=0&length=1", "/custom?from=1&length=99999999", "/custom?from=-1&length=1"}) {
    client.send(get(target));
    EXPECT_EQ(client.read_answer().status, 500) << target;
  }
  client.send("HEAD /custom?from=5&length=7 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer(true).field("content-length"), "7");
}

CONFORMANCE(SendsOnAfterManyFilesAtOnceSomeOfThemCutOff) {
  const std::string path = (directory_ / "large").string();
  std::ofstream(path) << std::string(3'000'000, 'x');
  handler_.custom = [&](const http::Request&) {
    http::Response response;
    response.body = http::FileBody{path, 0, 3'000'000};
    return response;
  };
  serve();
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 16; ++i) {
      clients.push_back(std::make_unique<RawClient>(port()));
      clients.back()->send(get("/custom"));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (i % 2 == 0) clients[i]->reset();
    }
    for (std::size_t i = 1; i < clients.size(); i += 2) {
      EXPECT_EQ(clients[i]->read_answer().body.size(), 3'000'000U);
    }
  }
  EXPECT_EQ(ask(get("/")).status, 200);
  EXPECT_TRUE(eventually(
      [&] { return handler_.delivered.load() + handler_.lost.load() == handler_.requests.load(); }));
}

CONFORMANCE(LetsNoFieldOfAnAnswerBreakTheHeader) {
  handler_.custom = [](const http::Request&) {
    http::Response response = http::Response::text(200, "body");
    response.with("X-Good", "tab\tand \xc3\xa9").with("X-Bad", "a\r\nX-Injected: b").with("X Bad", "c");
    response.with("X-Nul", std::string("a\0b", 3)).with("", "empty").with("Evil: x\r\nX-Injected", "d");
    response.with("content-length", "1").with("Connection", "upgrade").with("Transfer-Encoding", "chunked");
    return response;
  };
  serve();
  const auto answer = ask(get("/custom"));
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.field("x-good"), "tab\tand \xc3\xa9");
  EXPECT_EQ(answer.body, "body");
  for (const char* name :
       {"x-bad", "x bad", "x-nul", "x-injected", "evil", "connection", "transfer-encoding"}) {
    EXPECT_FALSE(answer.has(name)) << name;
  }
}

CONFORMANCE(TakesAHandlersOwnDate) {
  const std::string date = "Thu, 01 Jan 1970 00:00:00 GMT";
  handler_.custom = [&](const http::Request&) {
    return std::move(http::Response::text(200, "").with("Date", date));
  };
  serve();
  const auto answer = ask(get("/custom"));
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.field("date"), date);
  EXPECT_EQ(answer.head.find("Date:"), answer.head.rfind("Date:"));
}

CONFORMANCE(ClosesWithoutAWordWhenTold) {
  handler_.custom = [](const http::Request&) {
    http::Response response;
    response.abandon = true;
    return response;
  };
  serve();
  RawClient client(port());
  client.send(get("/custom"));
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 1; }));
}

CONFORMANCE(SendsNoBodyWhereNoneCanBe) {
  handler_.custom = [](const http::Request& request) {
    http::Response response =
        http::Response::text(request.query_value("status") == "204" ? 204 : 304, "must not appear");
    return std::move(response.with("ETag", "\"1\""));
  };
  serve();
  RawClient client(port());
  for (const int status : {204, 304}) {
    client.send(get("/custom?status=" + std::to_string(status)));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came());
    EXPECT_EQ(answer.status, status);
    EXPECT_FALSE(answer.has("content-length"));
  }
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
}

CONFORMANCE(TurnsAnImpossibleStatusInto500) {
  handler_.custom = [](const http::Request&) { return http::Response::text(99, "x"); };
  serve();
  EXPECT_EQ(ask(get("/custom")).status, 500);
}

CONFORMANCE(HasHeadersInLowerCaseAndThePeer) {
  std::string seen;
  handler_.custom = [&](const http::Request& request) {
    seen = std::string(request.header("x-mixed")) + "|" + request.peer + "|" + request.raw_path;
    return http::Response::text(200, "");
  };
  serve();
  ask("GET /custo%6d HTTP/1.1\r\nHost: x\r\nX-MiXed:  Value \r\n\r\n");
  EXPECT_EQ(seen, "Value|127.0.0.1|/custo%6d");
}

CONFORMANCE(AnswersTwoHundredConnectionsAtOnce) {
  serve();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<RawClient>(port()));
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i]->send(post("/echo", std::to_string(i)));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const auto answer = clients[i]->read_answer();
      ASSERT_TRUE(answer.came());
      EXPECT_EQ(answer.body, "POST /echo\n" + std::to_string(i));
    }
  }
  EXPECT_EQ(handler_.requests.load(), 1000);
}

}  // namespace
}  // namespace drover::transport
