#include <future>

#include <sys/resource.h>
#include <unistd.h>

#include "conformance/transport_case.hpp"

namespace drover::transport {
namespace {

CONFORMANCE(LetsAReplyComeFromAnotherThread) {
  serve();
  RawClient client(port());
  client.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  std::promise<bool> done;
  std::thread([&] {
    reply.send(http::Response::text(200, "late"), [&](bool good) { done.set_value(good); });
  }).join();
  EXPECT_EQ(client.read_answer().body, "late");
  EXPECT_TRUE(done.get_future().get());
  EXPECT_FALSE(reply.open());
}

CONFORMANCE(TakesTheFirstOfTwoAnswers) {
  serve();
  RawClient client(port());
  client.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  std::atomic<int> good{0};
  std::atomic<int> bad{0};
  const auto count = [&](bool delivered) { (delivered ? good : bad).fetch_add(1); };
  reply.send(http::Response::text(200, "first"), count);
  reply.send(http::Response::text(200, "second"), count);
  EXPECT_EQ(client.read_answer().body, "first");
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
  EXPECT_TRUE(eventually([&] { return good.load() == 1 && bad.load() == 1; }));
}

CONFORMANCE(AnswersForADroppedReplyAndAnException) {
  serve();
  RawClient client(port());
  for (const auto& [path, status] :
       {std::pair{"/drop", 500}, std::pair{"/throw", 500}, std::pair{"/", 200}}) {
    client.send(get(path));
    EXPECT_EQ(client.read_answer().status, status) << path;
  }
}

CONFORMANCE(AnswersForAReplyDroppedLater) {
  serve();
  RawClient client(port());
  client.send(get("/wait"));
  handler_.next_waiting();
  handler_.forget_waiting();
  EXPECT_EQ(client.read_answer().status, 500);
}

CONFORMANCE(SeesThePeerClose) {
  serve();
  for (const bool reset : {false, true}) {
    RawClient client(port());
    client.send(get("/wait"));
    const http::Reply reply = handler_.next_waiting();
    EXPECT_TRUE(reply.open());
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_TRUE(eventually([&] { return !reply.open(); }));
    std::promise<bool> done;
    reply.send(http::Response::text(200, "nobody reads this"), [&](bool good) { done.set_value(good); });
    EXPECT_FALSE(done.get_future().get());
  }
}

CONFORMANCE(SeesThePeerCloseBehindPipelinedBytes) {
  serve();
  RawClient client(port());
  client.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  client.send(get("/echo"));
  EXPECT_TRUE(reply.open());
  client.close();
  EXPECT_TRUE(eventually([&] { return !reply.open(); }));
}

CONFORMANCE(AnswersAPeerThatOnlyStoppedSending) {
  serve();
  RawClient client(port());
  client.send(get("/echo?n=1") + get("/wait") + get("/echo?n=2"));
  client.finish_sending();
  const http::Reply reply = handler_.next_waiting();
  EXPECT_TRUE(eventually([&] { return !reply.open(); }));
  reply.send(http::Response::text(200, "waited"));
  EXPECT_EQ(client.read_answer().body, "GET /echo n=1\n");
  EXPECT_EQ(client.read_answer().body, "waited");
  EXPECT_EQ(client.read_answer().body, "GET /echo n=2\n");
  EXPECT_TRUE(client.at_end());
}

CONFORMANCE(CallsDoneOnceWhenThePeerDoesNotReadToTheEnd) {
  handler_.custom = [](const http::Request&) {
    return http::Response::text(200, std::string(50'000'000, 'x'));
  };
  serve();
  RawClient client(port());
  client.send(get("/custom"));
  ASSERT_TRUE(eventually([&] { return handler_.requests.load() == 1; }));
  client.reset();
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 1; }));
  EXPECT_EQ(handler_.delivered.load(), 0);
}

CONFORMANCE(CutsOffAHeaderThatDrips) {
  options_.header_time = Seconds(1);
  serve();
  RawClient silent(port());
  RawClient slow(port());
  slow.send("GET / HTTP/1.1\r\nHost: x\r\nX: ");
  std::thread dripping([&] { EXPECT_TRUE(eventually([&] { return !slow.send("a"); })); });
  const auto answer = slow.read_answer();
  dripping.join();
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(silent.at_end());
}

CONFORMANCE(CutsOffAStalledHeaderWith408) {
  options_.header_time = Seconds(1);
  serve();
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n");
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_TRUE(client.at_end());
}

CONFORMANCE(CutsOffABodyThatStalls) {
  options_.body_time = Seconds(1);
  serve();
  RawClient client(port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_TRUE(client.at_end());
}

CONFORMANCE(ClosesAnIdleConnectionButNoPendingOne) {
  options_.idle_time = Seconds(1);
  options_.header_time = Seconds(1);
  options_.write_time = Seconds(1);
  options_.body_time = Seconds(1);
  serve();
  RawClient pending(port());
  pending.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  for (int i = 0; i < 2; ++i) {  // twice the time that is allowed for anything else
    RawClient idle(port());
    idle.send(get("/"));
    EXPECT_EQ(idle.read_answer().status, 200);
    EXPECT_TRUE(idle.at_end());
  }
  EXPECT_TRUE(reply.open());
  reply.send(http::Response::text(200, "at last"));
  EXPECT_EQ(pending.read_answer().body, "at last");
}

CONFORMANCE(CutsOffAPeerThatDoesNotRead) {
  options_.write_time = Seconds(1);
  handler_.custom = [](const http::Request&) {
    return http::Response::text(200, std::string(50'000'000, 'x'));
  };
  serve();
  RawClient client(port());
  client.send(get("/custom"));
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 1; }));
}

CONFORMANCE(TurnsAwayConnectionsBeyondTheCap) {
  options_.max_connections = 5;
  serve();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send(get("/"));
    EXPECT_EQ(clients.back()->read_answer().status, 200);
  }
  RawClient extra(port());
  const auto answer = extra.read_answer();
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("retry-after"), "1");
  EXPECT_TRUE(extra.at_end());
  clients.pop_back();
  EXPECT_TRUE(eventually([&] {
    const auto again = ask(get("/"));
    return again.status == 200;
  }));
}

CONFORMANCE(AcceptsAgainWhenDescriptorsAreFreeAgain) {
  serve();
  ASSERT_EQ(ask(get("/")).status, 200);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{256, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  RawClient client;  // takes its descriptor while there are some
  std::vector<int> taken;
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.push_back(fd);
  ASSERT_FALSE(taken.empty());
  const int heads = handler_.heads.load();
  client.connect(port());  // there is nothing left to accept it with
  client.send(get("/"));
  for (const int fd : taken) ::close(fd);
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(handler_.heads.load(), heads + 1);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

CONFORMANCE(SleepsWhileNoDescriptorIsFree) {
  serve();
  ASSERT_EQ(ask(get("/")).status, 200);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{256, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<std::unique_ptr<RawClient>> halves;
  std::vector<int> taken;
  for (int i = 0; i < 20; ++i) halves.push_back(std::make_unique<RawClient>(port()));
  RawClient last;  // takes its descriptor while there are some: the server, still accepting, would race for a
                   // last one
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.push_back(fd);
  last.connect(port());  // there is nothing left to accept it with
  const auto cpu = [] {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  };
  const double start = cpu();
  std::this_thread::sleep_for(std::chrono::seconds(1));  // what is measured
  EXPECT_LT(cpu() - start, 0.05);
  for (const int fd : taken) ::close(fd);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

CONFORMANCE(StopLetsARequestInFlightFinish) {
  serve();
  RawClient idle(port());
  idle.send(get("/"));
  EXPECT_EQ(idle.read_answer().status, 200);
  RawClient client(port());
  client.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  std::thread stopping([&] { server_->stop(Millis(20'000)); });
  EXPECT_TRUE(idle.at_end());
  reply.send(http::Response::text(200, "finished"), handler_.on_done());
  const auto answer = client.read_answer();
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.body, "finished");
  EXPECT_EQ(answer.field("connection"), "close");
  EXPECT_TRUE(client.at_end());
  client.close();
  stopping.join();
  EXPECT_EQ(handler_.delivered.load(), 2);
}

CONFORMANCE(StopCutsOffWhatDoesNotFinish) {
  serve();
  RawClient client(port());
  client.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  server_->stop(Millis(50));
  EXPECT_TRUE(client.at_end());
  EXPECT_FALSE(reply.open());
  int lost = 0;
  reply.send(http::Response::text(200, "too late"), [&](bool good) { lost += good ? 0 : 1; });
  EXPECT_EQ(lost, 1);
}

CONFORMANCE(AReplyMayOutliveTheServer) {
  serve();
  auto client = std::make_unique<RawClient>(port());
  client->send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  server_.reset();
  EXPECT_FALSE(reply.open());
  bool delivered = true;
  reply.send(http::Response::text(200, "too late"), [&](bool good) { delivered = good; });
  EXPECT_FALSE(delivered);
}

CONFORMANCE(StopRacesWithClientsAndReplies) {
  options_.threads = 4;
  serve();
  std::atomic<bool> over{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  const std::uint16_t to = port();
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      RawClient client(to);
      while (!over.load()) {
        if (!client.send(i % 2 == 0 ? post("/echo", std::string(100'000, 'x')) : get("/custom-none"))) return;
        if (!client.read_answer().came()) return;
        answered.fetch_add(1);
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return answered.load() > 200; }));
  server_->stop(Millis(0));
  over.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(handler_.delivered.load() + handler_.lost.load(), handler_.requests.load());
}

CONFORMANCE(RefusesAnAddressOrPortThatCannotBe) {
  serve();
  ServerOptions taken = options_;
  taken.port = port();
  const Status second = make_server(kind(), taken, handler_)->start();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::unavailable);
  ServerOptions odd = options_;
  odd.address = "localhost";
  EXPECT_EQ(make_server(kind(), odd, handler_)->start().error().code, Errc::invalid);
  ServerOptions nowhere = options_;
  nowhere.spool_directory = "/none/such";
  EXPECT_EQ(make_server(kind(), nowhere, handler_)->start().error().code, Errc::invalid);
}

}  // namespace
}  // namespace drover::transport
