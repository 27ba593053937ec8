// Pools, workers, settings, the scheduler's switch.
#include "fixture.hpp"

namespace drover::api {
namespace {

constexpr const char* kPool = R"({"name":"p","provider":"none","max":3})";

class Pools : public ApiTest {
 protected:
  Pools() {
    store.engine.apply = [this](const ports::Change& change) {
      return ports::settled<ports::PutPool>(put(std::get<ports::PutPool>(change)));
    };
  }
  Result<ports::PutPool::Answer> put(const ports::PutPool& put) {
    const bool there = !store.pool_rows.empty();
    if (put.create && there) return Error{Errc::conflict, "there is a pool of this name"};
    if (!put.create && !there) return Error{Errc::not_found, "there is no such pool"};
    if (put.version && there && *put.version != store.pool_rows[0].version)
      return Error{Errc::conflict, "edited meanwhile"};
    return ports::PutPool::Answer{{PoolId{1}, put.spec, there ? store.pool_rows[0].version + 1 : 1, ""}};
  }
  void add_pool() {
    ports::PoolRow row;
    row.id = PoolId{1};
    row.spec.name = "p";
    row.spec.provider = core::Provider::none;
    row.spec.max = 3;
    row.spec.slots = 4;
    row.version = 6;
    store.pool_rows.push_back(row);
  }
  const ports::PutPool& put(std::size_t index) {
    return std::get<ports::PutPool>(store.engine.applied.at(index));
  }
};

TEST_F(Pools, Create) {
  const Answer answer = send("POST", "/pools", kPool);
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("Location"), "/pools/p");
  EXPECT_EQ(answer.header("ETag"), "\"1\"");
  EXPECT_EQ(answer.at("max"), "3");
  EXPECT_TRUE(put(0).create);
  add_pool();
  EXPECT_EQ(send("POST", "/pools", kPool).status, 409);
  EXPECT_EQ(send("POST", "/pools", R"({"name":"p","provider":"none","maximum":3})").at("field"),
            "\"maximum\"");
}

TEST_F(Pools, ListAndGet) {
  add_pool();
  EXPECT_EQ(get("/pools").json().if_array()->size(), 1U);
  const Answer answer = get("/pools/p");
  EXPECT_EQ(answer.at("slots"), "4");
  EXPECT_EQ(answer.header("ETag"), "\"6\"");
  EXPECT_EQ(get("/pools/q").status, 404);
}

TEST_F(Pools, PutReplacesTheWhole) {
  add_pool();
  const Answer answer = send("PUT", "/pools/p", R"({"provider":"none","max":7})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(put(0).spec.max, 7);
  EXPECT_EQ(put(0).spec.slots, 1);
  EXPECT_FALSE(put(0).version);
  EXPECT_EQ(send("PUT", "/pools/p", R"({"name":"q","provider":"none"})").at("field"), "\"name\"");
  EXPECT_EQ(send("PUT", "/pools/a%2Fb", R"({"provider":"none"})").at("field"), "\"name\"");
}

TEST_F(Pools, PutCreatesWhatIsNotThere) {
  const Answer answer = send("PUT", "/pools/p", R"({"provider":"none"})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("Location"), "/pools/p");
  EXPECT_EQ(send("PUT", "/pools/p", R"({"provider":"none"})", {{"if-match", "\"1\""}}).status, 412);
  EXPECT_EQ(send("PUT", "/pools/p", R"({"provider":"none"})", {{"if-match", "*"}}).status, 412);
  EXPECT_EQ(send("PATCH", "/pools/p", R"({"max":2})", {{"if-match", "*"}}).status, 412);
  EXPECT_EQ(send("PATCH", "/pools/p", R"({"max":2})").status, 404);
}

TEST_F(Pools, PatchKeepsTheRest) {
  add_pool();
  const Answer answer = send("PATCH", "/pools/p", R"({"max":9})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(put(0).spec.max, 9);
  EXPECT_EQ(put(0).spec.slots, 4);
  EXPECT_EQ(put(0).version, 6);
  EXPECT_EQ(send("PATCH", "/pools/q", R"({"max":9})").status, 404);
  EXPECT_EQ(send("PATCH", "/pools/p", R"({"max":"9"})").at("field"), "\"max\"");
}

TEST_F(Pools, IfMatchIsThePrecondition) {
  add_pool();
  EXPECT_EQ(send("PUT", "/pools/p", R"({"provider":"none"})", {{"if-match", "\"5\""}}).status, 412);
  EXPECT_EQ(send("PUT", "/pools/p", R"({"provider":"none"})", {{"if-match", "\"6\""}}).status, 200);
  EXPECT_EQ(send("PATCH", "/pools/p", R"({"max":2})", {{"if-match", "\"5\""}}).status, 412);
  for (const char* good :
       {"\"6\"", "*", "\"5\", \"6\"", "W/\"6\",\"6\"", " \"6\" ", "\"6\",", "\"5\",,\"6\""}) {
    EXPECT_EQ(send("PATCH", "/pools/p", R"({"max":2})", {{"if-match", good}}).status, 200) << good;
    EXPECT_EQ(send("PUT", "/pools/p", kPool, {{"if-match", good}}).status, 200) << good;
  }
  for (const char* failing : {"W/\"6\"", "\"six\"", "\"\"", "\"06\"", "\"5\",\"7\""}) {
    const Answer answer = send("PUT", "/pools/p", kPool, {{"if-match", failing}});
    EXPECT_EQ(answer.status, 412) << failing;
    EXPECT_EQ(answer.at("code"), "\"precondition_failed\"");
  }
  const std::size_t before = store.engine.applied.size();
  for (const char* malformed : {"", "six", "6", "\"6", "\"6\" \"7\"", ",", "w/\"6\"", "\"6\", *"}) {
    for (const char* method : {"PUT", "PATCH"}) {
      const Answer answer = send(method, "/pools/p", kPool, {{"if-match", malformed}});
      EXPECT_EQ(answer.status, 400) << malformed;
      EXPECT_EQ(answer.at("field"), "\"If-Match\"");
    }
  }
  EXPECT_EQ(store.engine.applied.size(), before);
  // The same list, sent as two fields.
  EXPECT_EQ(send("PATCH", "/pools/p", R"({"max":2})", {{"if-match", "\"5\""}, {"if-match", "\"6\""}}).status,
            200);
}

TEST_F(Pools, AnEditBetweenReadingAndWritingFailsThePrecondition) {
  add_pool();
  store.engine.error = Error{Errc::conflict, "pool p was edited in the meantime"};
  EXPECT_EQ(send("PUT", "/pools/p", kPool, {{"if-match", "\"6\""}}).status, 412);
  EXPECT_EQ(send("PATCH", "/pools/p", "{}", {{"if-match", "\"6\""}}).status, 412);
  EXPECT_EQ(send("PATCH", "/pools/p", "{}").status, 409);
}

TEST_F(Pools, WhatGetGivesCanBePutBack) {
  add_pool();
  store.pool_rows[0].blocked_reason = "bad image";
  const std::string pool = get("/pools/p").body;
  EXPECT_EQ(send("PUT", "/pools/p", pool).status, 200);
  EXPECT_EQ(put(0).spec, store.pool_rows[0].spec);
  EXPECT_EQ(send("PATCH", "/pools/p", pool).status, 200);
  EXPECT_EQ(put(1).spec, store.pool_rows[0].spec);
}

TEST_F(Pools, NoNameIsADirectory) {
  for (const char* name : {".", ".."}) {
    EXPECT_EQ(send("POST", "/pools", std::string(R"({"provider":"none","name":")") + name + "\"}").status,
              400);
    const std::string path = std::string("/pools/") + (name[1] == '.' ? "%2e%2e" : "%2e");
    EXPECT_EQ(send("PUT", path, R"({"provider":"none"})").status, 400);
  }
  EXPECT_TRUE(store.engine.applied.empty());
}

class Workers : public ApiTest {
 protected:
  Workers() {
    for (int i = 5; i >= 1; --i) {
      ports::WorkerRow row;
      row.id = WorkerId{i};
      row.instance_id = "i-" + std::to_string(i);
      row.state = i == 1   ? core::WorkerState::gone
                  : i == 2 ? core::WorkerState::draining
                           : core::WorkerState::active;
      row.created = clock.now;
      store.worker_rows.push_back(row);
    }
    store.engine.apply = [this](const ports::Change& change) {
      ports::WorkerRow row = store.worker_rows[0];
      row.id = std::get<ports::MoveWorker>(change).worker;
      row.state = core::WorkerState::draining;
      return ports::settled<ports::MoveWorker>(ports::MoveWorker::Answer{row, true});
    };
  }
};

TEST_F(Workers, ListWithWhatTheyRun) {
  store.engine.view.workers = {{WorkerId{5}, "i-5", "p", core::WorkerState::active, 4, 3, true, {}, {}, {}}};
  const Json list = get("/workers").json();
  ASSERT_EQ(list.if_array()->size(), 4U);
  EXPECT_EQ((*list.if_array())[0].find("running")->dump(), "3");
  EXPECT_EQ((*list.if_array())[1].find("running")->dump(), "0");
  store.engine.view.leading = false;
  EXPECT_TRUE((*get("/workers").json().if_array())[0].find("running")->is_null());
}

TEST_F(Workers, ListByStateAndPage) {
  EXPECT_EQ(get("/workers?state=draining").json().if_array()->size(), 1U);
  EXPECT_EQ((*get("/workers?state=gone").json().if_array())[0].find("number")->dump(), "1");
  const Answer page = get("/workers?limit=2");
  EXPECT_EQ(page.header("Link"), "</workers?limit=2&before=4>; rel=\"next\"");
  EXPECT_EQ(get("/workers?limit=2&before=4").json().if_array()->size(), 2U);
  EXPECT_EQ(get("/workers?state=asleep").at("field"), "\"state\"");
  EXPECT_EQ(get("/workers?pool=p").at("field"), "\"pool\"");
}

TEST_F(Workers, GetByNumberAndInstance) {
  EXPECT_EQ(get("/workers/4").at("instance_id"), "\"i-4\"");
  EXPECT_EQ(get("/workers/i-4").at("number"), "4");
  EXPECT_EQ(get("/workers/i-9").status, 404);
}

TEST_F(Workers, Actions) {
  const Answer answer = send("POST", "/workers/i-4/drain");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.at("state"), "\"draining\"");
  EXPECT_EQ(answer.at("changed"), "true");
  send("PUT", "/workers/4/activate");
  send("POST", "/workers/3/terminate");
  ASSERT_EQ(store.engine.applied.size(), 3U);
  const auto change = [&](std::size_t i) { return std::get<ports::MoveWorker>(store.engine.applied[i]); };
  EXPECT_EQ(change(0).worker, WorkerId{4});
  EXPECT_EQ(change(0).move, core::WorkerMove::drain);
  EXPECT_EQ(change(1).move, core::WorkerMove::activate);
  EXPECT_EQ(change(2).move, core::WorkerMove::terminate);
  EXPECT_EQ(change(2).worker, WorkerId{3});
  EXPECT_EQ(send("POST", "/workers/99/drain").status, 404);
}

class Config : public ApiTest {
 protected:
  Config() {
    store.engine.apply = [this](const ports::Change& change) {
      Result<core::Tunables> changed =
          core::changed_tunables(store.engine.view.tunables, std::get<ports::PutSettings>(change).values);
      if (!changed.ok()) return ports::refused(change, changed.error());
      store.engine.view.tunables = *changed;
      return ports::settled<ports::PutSettings>(ports::PutSettings::Answer{});
    };
  }
};

TEST_F(Config, IsOneFlatObject) {
  const Answer answer = get("/config");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.at("lease_s"), "60");
  EXPECT_EQ(answer.json().if_object()->size(), core::tunable_table().size());
}

TEST_F(Config, PutAndPatchMerge) {
  for (const char* method : {"PUT", "PATCH"}) {
    const Answer answer = send(method, "/config", R"({"lease_s":90,"freeze_share":0.5})");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.at("lease_s"), "90");
    EXPECT_EQ(answer.at("freeze_share"), "0.5");
    EXPECT_EQ(answer.at("heartbeat_interval_s"), "5");
  }
  EXPECT_EQ(store.engine.applied.size(), 2U);
  EXPECT_EQ(send("PUT", "/config", "{}").at("lease_s"), "90");
  EXPECT_EQ(store.engine.applied.size(), 2U);
}

TEST_F(Config, AllOrNothing) {
  for (const auto& [body, field] : {std::pair{R"({"lease_s":90,"colour":1})", "colour"},
                                    {R"({"lease_s":"90"})", "lease_s"},
                                    {R"({"lease_s":90,"freeze_share":7})", "freeze_share"},
                                    {R"({"lease_s":1.5})", "lease_s"},
                                    {R"({"lease_s":null})", "lease_s"}}) {
    const Answer answer = send("PATCH", "/config", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.at("field"), "\"" + std::string(field) + "\"") << body;
  }
  EXPECT_EQ(send("PUT", "/config", "[]").status, 400);
  EXPECT_TRUE(store.engine.applied.empty());
}

TEST_F(Config, IsCheckedAsAWhole) {
  for (const auto& [body, field] : {std::pair{R"({"lease_s":5,"heartbeat_interval_s":30})", "lease_s"},
                                    {R"({"heartbeat_interval_s":60,"lease_s":60})", "lease_s"},
                                    {R"({"heartbeat_interval_s":30})", "heartbeat_interval_s"},
                                    {R"({"notice_poll_s":1,"lease_s":14})", "lease_s"}}) {
    for (const char* method : {"PUT", "PATCH"}) {
      const Answer answer = send(method, "/config", body);
      EXPECT_EQ(answer.status, 400) << body;
      EXPECT_EQ(answer.at("field"), "\"" + std::string(field) + "\"") << body;
    }
  }
  EXPECT_EQ(get("/config").at("notice_poll_s"), "2");
  EXPECT_EQ(send("PATCH", "/config", R"({"heartbeat_interval_s":60,"lease_s":180})").status, 200);
}

TEST_F(Config, TakesAWholeNumberHoweverItIsWritten) {
  EXPECT_EQ(send("PATCH", "/config", R"({"lease_s":90.0})").at("lease_s"), "90");
  EXPECT_EQ(std::get<ports::PutSettings>(store.engine.applied.at(0)).values.at("lease_s"), "90");
}

TEST_F(Config, AStandbyDoesNotGuess) {
  store.engine.view.leading = false;
  EXPECT_EQ(get("/config").status, 503);
}

class Scheduler : public ApiTest {
 protected:
  const std::string json_ = "application/json";
};

TEST_F(Scheduler, Get) {
  for (const char* path : {"/scheduler", "/scheduler/"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Content-Type"), json_);
    EXPECT_EQ(answer.body, R"({"is_paused":false})");
  }
  store.engine.view.paused = true;
  EXPECT_EQ(get("/scheduler/").body, R"({"is_paused":true})");
}

TEST_F(Scheduler, PatchIs201WithTheRequestsUrl) {
  for (const std::string path : {"/scheduler", "/scheduler/"}) {
    const Answer answer = send("PATCH", path, R"({"is_paused":true})", {{"host", "head:8080"}});
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.header("Location"), "http://head:8080" + path);
    EXPECT_EQ(answer.header("Content-Type"), json_);
    EXPECT_EQ(answer.body, R"({"is_paused":true})");
  }
  EXPECT_TRUE(std::get<ports::SetPaused>(store.engine.applied.at(0)).paused);
  EXPECT_EQ(send("PATCH", "/scheduler/", R"({"is_paused":false})").body, R"({"is_paused":false})");
  EXPECT_FALSE(std::get<ports::SetPaused>(store.engine.applied.back()).paused);
}

TEST_F(Scheduler, WhatOldClientsSendForABoolean) {
  for (const char* value : {"true", "1", "1.0", "\"t\"", "\"True\"", "\"1\""}) {
    EXPECT_EQ(send("PATCH", "/scheduler/", std::string("{\"is_paused\":") + value + "}").body,
              R"({"is_paused":true})")
        << value;
  }
  for (const char* value : {"false", "0", "\"f\"", "\"False\"", "\"0\""}) {
    EXPECT_EQ(send("PATCH", "/scheduler/", std::string("{\"is_paused\":") + value + "}").body,
              R"({"is_paused":false})")
        << value;
  }
  for (const char* value : {"\"true\"", "\"false\"", "null", "2", "[]", "\"banana\""}) {
    EXPECT_EQ(send("PATCH", "/scheduler/", std::string("{\"is_paused\":") + value + "}").status, 400)
        << value;
  }
}

TEST_F(Scheduler, ErrorsArePlainText) {
  const std::string text = "text/plain; charset=utf-8";
  const Answer unexpected = send("PATCH", "/scheduler/", R"({"foo":1,"is_paused":true,"bar":2})");
  EXPECT_EQ(unexpected.status, 400);
  EXPECT_EQ(unexpected.header("Content-Type"), text);
  EXPECT_EQ(unexpected.body, "Unexpected fields: foo, bar");
  const Answer huge = send("PATCH", "/scheduler", R"({")" + std::string(1'000'000, 'x') + R"(":true})");
  EXPECT_EQ(huge.status, 400);
  EXPECT_LT(huge.body.size(), 4096U) << "names are quoted in part";
  const Answer empty = send("PATCH", "/scheduler/", "{}");
  EXPECT_EQ(empty.status, 400);
  EXPECT_EQ(empty.body, "No fields specified for update.");
  EXPECT_EQ(send("PATCH", "/scheduler/", "").body, "No fields specified for update.");
  EXPECT_EQ(send("PATCH", "/scheduler/", R"({"num_message_handlers":1})").status, 400);
  EXPECT_EQ(send("PATCH", "/scheduler/", "{").status, 400);
  EXPECT_EQ(send("PATCH", "/scheduler/", "[true]").status, 400);
  EXPECT_TRUE(store.engine.applied.empty());
  EXPECT_EQ(send("PATCH", "/scheduler/", "{}", {{"accept", json_}}).body,
            "\"No fields specified for update.\"");
}

TEST_F(Scheduler, AMissingRowIs500InPlainText) {
  store.engine.error = Error{Errc::not_found, "the scheduler's row is missing"};
  const Answer answer = send("PATCH", "/scheduler/", R"({"is_paused":true})");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.body, "An internal error occurred.");
}

TEST_F(Scheduler, AStandbySaysToTryAgain) {
  store.engine.view.leading = false;
  store.engine.error = Error{.code = Errc::unavailable, .message = "no leader", .retry_after_s = 4};
  EXPECT_EQ(get("/scheduler/").status, 503);
  const Answer answer = send("PATCH", "/scheduler/", R"({"is_paused":true})");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "4");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
}

}  // namespace
}  // namespace drover::api
