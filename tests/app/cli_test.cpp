#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

#include <gtest/gtest.h>

#include "drover/cli/client.hpp"
#include "drover/cli/command_line.hpp"

namespace drover::cli {
namespace {

std::variant<Command, int> parse(std::vector<const char*> args) {
  args.insert(args.begin(), "drover");
  return parse_command_line(static_cast<int>(args.size()), args.data());
}

template <class T>
T expect_client(std::vector<const char*> args) {
  const auto parsed = parse(std::move(args));
  const auto* command = std::get_if<Command>(&parsed);
  const auto* client = command != nullptr ? std::get_if<ClientCommand>(command) : nullptr;
  const auto* verb = client != nullptr ? std::get_if<T>(&client->verb) : nullptr;
  if (verb != nullptr) return *verb;
  ADD_FAILURE() << "parsed as something else";
  return {};
}

TEST(CommandLine, WhatIsNotSaidHasADefault) {
  const auto parsed = parse({"serve"});
  EXPECT_EQ(std::get<ServeCommand>(std::get<Command>(parsed)).config, kDefaultConfig);
  const auto dev = std::get<DevCommand>(std::get<Command>(parse({"dev", "--demo"})));
  EXPECT_TRUE(dev.demo);
  EXPECT_FALSE(dev.listen_given);
  EXPECT_TRUE(
      std::get<DevCommand>(std::get<Command>(parse({"dev", "--listen", "127.0.0.1:1"}))).listen_given);
}

TEST(CommandLine, ServeMayNameItsTransport) {
  const auto plain = parse({"serve"});
  EXPECT_EQ(std::get<ServeCommand>(std::get<Command>(plain)).http_transport, "");
  const auto given = parse({"serve", "--http-transport=cpprest"});
  EXPECT_EQ(std::get<ServeCommand>(std::get<Command>(given)).http_transport, "cpprest");
  EXPECT_NE(std::get<int>(parse({"serve", "--http-transport=smoke-signals"})), 0);
}

TEST(CommandLine, SubmitKeepsTheArgumentsOfTheJob) {
  const auto job = expect_client<SubmitCommand>({"submit", "-q", "gpu", "-e", "A=1", "-e", "B=x y",
                                                 "--priority", "-3", "--", "sh", "-c", "echo --name $A"});
  EXPECT_EQ(job.queue, "gpu");
  EXPECT_EQ(job.env, (std::vector<std::string>{"A=1", "B=x y"}));
  EXPECT_EQ(job.priority, -3);
  EXPECT_EQ(job.args, (std::vector<std::string>{"sh", "-c", "echo --name $A"}));
  EXPECT_TRUE(job.name.empty());
}

TEST(CommandLine, TheJobsWordsGoThroughAsTheyWereTyped) {
  const std::vector<std::string> words = {"jq",       "[.a,.b]", "[x]",  "[]", "",   "-x",  "--url",
                                          "--",       "a,b",     "{}",   "%%", "++", "\\n", "'[1]'",
                                          "\xff\xfe", " ",       "list", "[",  "]"};
  std::vector<const char*> args = {"submit", "-q", "[q]", "-n", "", "--"};
  for (const std::string& word : words) args.push_back(word.c_str());
  const auto job = expect_client<SubmitCommand>(args);
  EXPECT_EQ(job.args, words);
  EXPECT_EQ(job.queue, "[q]");
  EXPECT_EQ(job.name, "");
  args = {"submit", "jq"};  // without the "--", what follows the program is the program's
  for (std::size_t i = 1; i < words.size(); ++i) args.push_back(words[i].c_str());
  EXPECT_EQ(expect_client<SubmitCommand>(args).args, words);
  EXPECT_EQ(expect_client<SubmitCommand>({"submit", "--", "[1,2]"}).args,
            (std::vector<std::string>{"[1,2]"}));
  EXPECT_EQ(expect_client<SubmitCommand>({"submit", "--", ""}).args, (std::vector<std::string>{""}));
  EXPECT_EQ(expect_client<SubmitCommand>({"submit", "-e", "A=[1,2]", "-e", "[B]=", "-c", "[ -e x ]"}).env,
            (std::vector<std::string>{"A=[1,2]", "[B]="}));
  EXPECT_EQ(expect_client<SubmitCommand>({"submit", "-c", "[ -e x,y ]"}).shell, "[ -e x,y ]");
  EXPECT_EQ(expect_client<ChangeCommand>({"cancel", "[1,2]", "3"}).jobs,
            (std::vector<std::string>{"[1,2]", "3"}));
}

TEST(CommandLine, TheOptionWinsOverTheEnvironmentForEveryVerb) {
  const std::vector<std::vector<const char*>> verbs = {{"submit", "-c", "true"},
                                                       {"list"},
                                                       {"show", "1"},
                                                       {"logs", "1"},
                                                       {"cancel", "1"},
                                                       {"hold", "1"},
                                                       {"release", "1"},
                                                       {"requeue", "1"},
                                                       {"pause"},
                                                       {"resume"},
                                                       {"status"},
                                                       {"workers"},
                                                       {"pools"}};
  const auto url = [](std::vector<const char*> args) {
    return std::get<ClientCommand>(std::get<Command>(parse(std::move(args)))).url;
  };
  for (auto args : verbs) {
    ::unsetenv("DROVER_URL");
    EXPECT_EQ(url(args), kDefaultUrl) << args[0];
    ::setenv("DROVER_URL", "", 1);
    EXPECT_EQ(url(args), kDefaultUrl) << args[0];
    ::setenv("DROVER_URL", "http://environment", 1);
    EXPECT_EQ(url(args), "http://environment") << args[0];
    args.insert(args.begin() + 1, {"--url", "http://option"});
    EXPECT_EQ(url(args), "http://option") << args[0];
  }
  ::unsetenv("DROVER_URL");
}

TEST(CommandLine, EachActionIsItsOwn) {
  for (const char* action : {"cancel", "hold", "release", "requeue"}) {
    const auto change = expect_client<ChangeCommand>({action, "7", "8"});
    EXPECT_EQ(change.action, action);
    EXPECT_EQ(change.jobs, (std::vector<std::string>{"7", "8"}));
  }
  EXPECT_TRUE(expect_client<PauseCommand>({"pause"}).paused);
  EXPECT_FALSE(expect_client<PauseCommand>({"resume"}).paused);
}

TEST(CommandLine, MistakesAreStatus2) {
  testing::internal::CaptureStderr();
  for (const std::vector<const char*>& args : {std::vector<const char*>{},
                                               {"fly"},
                                               {"submit", "--prio", "1"},
                                               {"show"},
                                               {"list", "--limit", "0"},
                                               {"logs", "1", "--stream", "x"},
                                               {"localcloud"},
                                               {"submit", "-c", "true", "--", "false"}}) {
    const auto parsed = parse(args);
    ASSERT_TRUE(std::holds_alternative<int>(parsed)) << (args.empty() ? "" : args[0]);
    EXPECT_EQ(std::get<int>(parsed), 2);
  }
  testing::internal::GetCapturedStderr();
}

TEST(SubmitBody, SaysWhatTheCommandSays) {
  SubmitCommand command;
  command.queue = "gpu";
  command.priority = 0;
  command.max_attempts = 3;
  command.env = {"A=b=c", "E="};
  command.shell = "exit 1";
  const auto body = submit_body(command);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(
      body->dump(),
      R"({"queue":"gpu","priority":0,"retry":{"max_attempts":3},"task":{"command":"exit 1","env":{"A":"b=c","E":""}}})");
}

TEST(SubmitBody, RefusesNothingToRunAndBadVariables) {
  SubmitCommand command;
  EXPECT_EQ(submit_body(command).error().code, Errc::invalid);
  command.args = {"true"};
  EXPECT_TRUE(submit_body(command).ok());
  for (const char* bad : {"A", "=x"}) {
    command.env = {bad};
    EXPECT_FALSE(submit_body(command).ok()) << bad;
  }
  command.env.clear();
  command.shell = "true";
  EXPECT_FALSE(submit_body(command).ok());
}

TEST(Table, ColumnsLineUpByCharacter) {
  EXPECT_EQ(render_table({{"A", "NAME", "Z"}, {"12", "é", "x"}, {"3", "long", "y"}}),
            "A   NAME  Z\n12  é     x\n3   long  y\n");
}

TEST(TextOf, NothingOfAJobReachesTheTerminalAsACommand) {
  const auto json = parse_json(R"({"name":"a\u001b[2Jb\nc","none":null,"empty":"","list":[1],"n":2})");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(text_of(*json, "name"), "a?[2Jb?c");
  EXPECT_EQ(text_of(*json, "none"), "-");
  EXPECT_EQ(text_of(*json, "empty"), "-");
  EXPECT_EQ(text_of(*json, "absent"), "-");
  EXPECT_EQ(text_of(*json, "list"), "[1]");
  EXPECT_EQ(text_of(*json, "n"), "2");
}

// Answers by "METHOD path" and keeps what it was sent.
class FakeHttp final : public ports::HttpClient {
 public:
  std::map<std::string, ports::HttpReply> replies;
  std::vector<ports::HttpRequest> sent;
  int cut = 0;  // so many answers are cut behind what they hold
  Result<ports::HttpReply> send(const ports::HttpRequest& request) override {
    sent.push_back(request);
    const auto found = replies.find(request.method + " " + request.url);
    if (found == replies.end()) return Error{Errc::unavailable, "no answer"};
    ports::HttpReply reply = found->second;
    if (!request.on_body || reply.status != 200) return reply;
    const std::string body = std::exchange(reply.body, {});
    if (!request.on_body(reply, body) || cut-- > 0) return Error{Errc::unavailable, "cut"};
    return reply;
  }
};

struct Ran {
  int status = -1;
  std::string out;
  std::string complaints;
};
class FullStream final : public std::streambuf {};  // takes nothing

Ran run(FakeHttp& http, ClientVerb verb, const std::string& url = "http://d/") {
  std::ostringstream out;
  std::ostringstream complaints;
  const int status = run_client(ClientCommand{url, std::move(verb)}, http, out, complaints);
  return {status, out.str(), complaints.str()};
}

TEST(Client, ListAsksWithItsFiltersAndPrintsATable) {
  FakeHttp http;
  http.replies["GET http://d/jobs?limit=50&state=running&name=a%26b"] = {
      200,
      {},
      R"([{"number":3,"state":"running","queue":"default","name":"a&b","attempts":2,"reason":null}])"};
  ListCommand list;
  list.state = "running";
  list.name = "a&b";
  const Ran ran = run(http, list);
  EXPECT_EQ(ran.status, 0) << ran.complaints;
  EXPECT_NE(ran.out.find("NUMBER"), std::string::npos);
  EXPECT_NE(ran.out.find("3       running  default  a&b   2         -        -\n"), std::string::npos)
      << ran.out;
}

TEST(Client, PauseSpeaksToTheScheduler) {
  FakeHttp http;
  http.replies["PATCH http://d/scheduler"] = {201, {}, R"({"is_paused":true})"};
  EXPECT_EQ(run(http, PauseCommand{true}).out, "paused\n");
  ASSERT_EQ(http.sent.size(), 1u);
  EXPECT_EQ(http.sent[0].body, R"({"is_paused":true})");
}

TEST(Client, ARefusalIsTheProblemsOwnSentence) {
  FakeHttp http;
  http.replies["POST http://d/jobs/9/release"] = {
      409, {}, R"({"title":"Conflict","detail":"job 9 is cancelled"})"};
  const Ran ran = run(http, ChangeCommand{"release", {"9"}});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.complaints, "drover: 9: job 9 is cancelled\n");
  EXPECT_TRUE(ran.out.empty());
}

TEST(Client, OneRefusalLeavesTheOthersToBeAsked) {
  FakeHttp http;
  http.replies["POST http://d/jobs/1/cancel"] = {
      200, {}, R"({"number":1,"state":"cancelled","changed":true})"};
  http.replies["POST http://d/jobs/2/cancel"] = {409, {}, R"({"detail":"job 2 has ended"})"};
  http.replies["POST http://d/jobs/3/cancel"] = {404, {}, R"({"detail":"no such job"})"};
  http.replies["POST http://d/jobs/4/cancel"] = {
      200, {}, R"({"number":4,"state":"stopping","changed":true})"};
  const Ran ran = run(http, ChangeCommand{"cancel", {"1", "2", "3", "4"}});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.out, "1 cancelled\n4 stopping\n");
  EXPECT_EQ(ran.complaints, "drover: 2: job 2 has ended\ndrover: 3: no such job\n");
}

TEST(Client, AnyAnswersReasonIsPrinted) {
  FakeHttp http;
  http.replies["PATCH http://d/scheduler"] = {
      503, {{"content-type", "text/plain"}}, "another daemon leads\n"};
  EXPECT_EQ(run(http, PauseCommand{true}).complaints, "drover: another daemon leads (http://d)\n");
  http.replies["GET http://d/status"] = {503, {}, R"({"detail":"the database is away\u001b[2J"})"};
  EXPECT_EQ(run(http, StatusCommand{}).complaints, "drover: the database is away?[2J (http://d)\n");
  http.replies["GET http://d/pools"] = {404, {{"content-type", "text/html"}}, "<html>"};
  const Ran other = run(http, PoolsCommand{});
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.complaints.find("http://d answered HTTP 404"), std::string::npos) << other.complaints;
}

TEST(Client, ListsFollowTheirPagesToTheLimit) {
  FakeHttp http;
  const auto page = [](int from, int to, const std::string& next) {
    Json list = Json::array();
    for (int i = from; i > to; --i) list.push(std::move(Json::object().set("number", i)));
    ports::HttpReply reply{200, {}, list.dump()};
    if (!next.empty()) reply.headers.emplace_back("link", "<" + next + ">; rel=\"next\"");
    return reply;
  };
  http.replies["GET http://d/jobs?limit=5"] = page(9, 6, "/jobs?limit=5&before=7");
  http.replies["GET http://d/jobs?limit=5&before=7"] = page(6, 1, "/jobs?limit=5&before=2");
  ListCommand list;
  list.limit = 5;
  const Ran ran = run(http, list);
  EXPECT_EQ(ran.status, 0) << ran.complaints;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 6) << ran.out;
  http.replies["GET http://d/workers"] = page(9, 6, "/workers?limit=100&before=7");
  http.replies["GET http://d/workers?limit=100&before=7"] = page(6, 0, "");
  const std::string workers = run(http, WorkersCommand{}).out;
  EXPECT_EQ(std::count(workers.begin(), workers.end(), '\n'), 10) << workers;
}

TEST(Client, OutputThatIsNotTakenIsAnError) {
  FakeHttp http;
  http.replies["GET http://d/status"] = {200, {}, R"({"a":1})"};
  FullStream full;
  std::ostream out(&full);
  std::ostringstream complaints;
  EXPECT_EQ(run_client(ClientCommand{"http://d", StatusCommand{}}, http, out, complaints), 1);
  EXPECT_NE(complaints.str().find("standard output"), std::string::npos);
}

TEST(Client, NoAnswerNamesTheDaemonAsked) {
  FakeHttp http;
  const Ran ran = run(http, StatusCommand{}, "http://elsewhere:1");
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.complaints.find("http://elsewhere:1"), std::string::npos);
  EXPECT_EQ(run(http, StatusCommand{}, "http://u:hunter2@d").complaints,
            "drover: no answer (http://u:***@d)\n");
}

TEST(Client, LogsAreTheBytesThemselves) {
  FakeHttp http;
  http.replies["GET http://d/jobs/5/logs/stderr?attempt=2"] = {200, {}, "line\n\x01raw"};
  EXPECT_EQ(run(http, LogsCommand{"5", "stderr", 2}).out, "line\n\x01raw");
}

// A daemon gives up on a reader that stands still.
TEST(Client, ALogThatIsCutGoesOnWhereItWas) {
  FakeHttp http;
  const std::vector<std::pair<std::string, std::string>> which = {{"x-drover-attempt", "3"}};
  http.replies["GET http://d/jobs/5/logs/stdout"] = {200, which, "first "};
  http.replies["GET http://d/jobs/5/logs/stdout?attempt=3&offset=6"] = {200, which, "second "};
  http.replies["GET http://d/jobs/5/logs/stdout?attempt=3&offset=13"] = {200, which, "third"};
  http.cut = 2;
  const Ran ran = run(http, LogsCommand{"5", "stdout", {}});
  EXPECT_EQ(ran.status, 0) << ran.complaints;
  EXPECT_EQ(ran.out, "first second third");
  http.cut = 1;
  http.replies["GET http://d/jobs/5/logs/stdout?attempt=3&offset=6"] = {503, {}, R"({"detail":"away"})"};
  EXPECT_EQ(run(http, LogsCommand{"5", "stdout", {}}).complaints, "drover: away (http://d)\n");
}

}  // namespace
}  // namespace drover::cli
