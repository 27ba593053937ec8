#include <filesystem>
#include <fstream>

#include "fixture.hpp"

namespace drover::api {
namespace {

class JobFiles : public ApiTest {
 protected:
  JobFiles() { add_job(17).attempts = 2; }
  void log(int attempt, const std::string& text) {
    ASSERT_TRUE(artifacts.append_log(JobNumber{17}, attempt, "stdout", 0, text).ok());
    store.attempt_rows.push_back({JobNumber{17}, attempt, WorkerId{1}, "i-1", clock.now, {}, {}, {}, {}, ""});
  }
  void artifact(const std::string& name, const std::string& bytes) {
    const std::string path = artifacts.spool_directory() + "/upload";
    std::ofstream(path, std::ios::binary) << bytes;
    const Result<Sha256> hash = artifacts.put(JobNumber{17}, 1, name, path);
    ASSERT_TRUE(hash.ok());
    store.artifact_rows.push_back({1, name, static_cast<std::int64_t>(bytes.size()), *hash, clock.now});
  }
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(artifacts.spool_directory()))
      ++count;
    return count;
  }
};

TEST_F(JobFiles, TheLatestAttemptsLog) {
  log(1, "first\n");
  log(2, "second\n");
  const Answer answer = get("/jobs/17/logs/stdout");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "second\n");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.header("X-Drover-Attempt"), "2");
  EXPECT_EQ(answer.header("X-Drover-Next-Offset"), "7");
  EXPECT_EQ(get("/jobs/17/logs/stdout?attempt=1").body, "first\n");
}

TEST_F(JobFiles, FromAnOffset) {
  log(2, "0123456789");
  EXPECT_EQ(get("/jobs/17/logs/stdout?offset=7").body, "789");
  EXPECT_EQ(get("/jobs/17/logs/stdout?offset=10").body, "");
  EXPECT_EQ(get("/jobs/17/logs/stdout?offset=99").body, "");
  EXPECT_EQ(get("/jobs/17/logs/stdout?offset=99").header("X-Drover-Next-Offset"), "10");
}

TEST_F(JobFiles, AllAttemptsOneAfterTheOther) {
  log(1, "first\n");
  log(2, "second\n");
  const std::size_t before = files();
  const Answer answer = get("/jobs/17/logs/stdout?attempt=all");
  EXPECT_EQ(answer.body, "==> attempt 1 <==\nfirst\n==> attempt 2 <==\nsecond\n");
  EXPECT_EQ(get("/jobs/17/logs/stdout?attempt=all&offset=18").body, "first\n==> attempt 2 <==\nsecond\n");
  EXPECT_EQ(get("/jobs/17/logs/stderr?attempt=all").body, "==> attempt 1 <==\n==> attempt 2 <==\n");
  api.stop();  // whoever sent the answers has let go of them
  EXPECT_EQ(files(), before);
}

TEST_F(JobFiles, AnAttemptThatWroteNothingHasAnEmptyLog) {
  const Answer answer = get("/jobs/17/logs/stderr");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.header("X-Drover-Next-Offset"), "0");
}

TEST_F(JobFiles, LogsThatCannotBe) {
  add_job(18);
  const Answer unborn = get("/jobs/18/logs/stdout");
  EXPECT_EQ(unborn.status, 404);
  EXPECT_EQ(unborn.at("detail"), "\"job 18 has not run yet\"");
  EXPECT_EQ(get("/jobs/17/logs/stdout?attempt=3").status, 404);
  EXPECT_EQ(get("/jobs/17/logs/stdlog").status, 404);
  for (const char* query : {"attempt=0", "attempt=x", "offset=-1", "offset=x", "tail=3"}) {
    EXPECT_EQ(get(std::string("/jobs/17/logs/stdout?") + query).status, 400) << query;
  }
}

TEST_F(JobFiles, ArtifactsAreListedAndFetched) {
  artifact("out.bin", std::string("\0\x01\xff", 3));
  const Json list = get("/jobs/17/artifacts").json();
  ASSERT_EQ(list.if_array()->size(), 1U);
  EXPECT_EQ((*list.if_array())[0].find("size")->dump(), "3");
  const Answer answer = get("/jobs/17/artifacts/out.bin");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, std::string("\0\x01\xff", 3));
  EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.header("Content-Disposition"),
            "attachment; filename=\"out.bin\"; filename*=UTF-8''out.bin");
  EXPECT_EQ(answer.header("X-Checksum-Sha256"), to_hex(sha256(std::string_view("\0\x01\xff", 3))));
}

TEST_F(JobFiles, ALongListOfArtifactsHasPages) {
  for (const char* name : {"a", "b/c d", "e"}) artifact(name, "x");
  const Answer first = get("/jobs/17/artifacts?limit=2");
  EXPECT_EQ(first.json().if_array()->size(), 2U);
  EXPECT_EQ(first.header("Link"), "</jobs/17/artifacts?limit=2&after=b%2Fc%20d>; rel=\"next\"");
  const Answer last = get("/jobs/17/artifacts?limit=2&after=b%2Fc%20d");
  EXPECT_EQ(last.json().if_array()->size(), 1U);
  EXPECT_EQ(last.header("Link"), "");
  EXPECT_EQ(get("/jobs/17/artifacts?limit=1001").status, 400);
}

TEST_F(JobFiles, AnArtifactsNameMayHaveSeveralParts) {
  artifact("d/e/b c.txt", "deep");
  artifact("d", "flat");
  EXPECT_EQ((*get("/jobs/17/artifacts").json().if_array())[1].find("name")->dump(), "\"d/e/b c.txt\"");
  for (const char* path : {"d/e/b%20c.txt", "d%2Fe%2fb%20c.txt", "d/e%2Fb%20c.txt"}) {
    const Answer answer = get(std::string("/jobs/17/artifacts/") + path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.body, "deep");
    EXPECT_EQ(answer.header("Content-Disposition"),
              "attachment; filename=\"b c.txt\"; filename*=UTF-8''b%20c.txt");
  }
  EXPECT_EQ(get("/jobs/17/artifacts/d").body, "flat");
  EXPECT_EQ(get("/jobs/17/artifacts/d/e").status, 404);
}

TEST_F(JobFiles, NamesThatNoArtifactHasAreRefusedByTheRule) {
  for (const char* path : {"..%2f17.1.out.bin", "a/../b", "%2e", "d/", "d%2F", "/d", "d//e", "d/%2e/e", "%2F",
                           "a%0Ab", "%7f", "/checkpoint", "%2Fcheckpoint"}) {
    const Answer answer = get(std::string("/jobs/17/artifacts/") + path);
    EXPECT_EQ(answer.status, 400) << path;
    EXPECT_EQ(answer.at("field"), "\"name\"");
    EXPECT_NE(answer.at("detail").find("an artifact's name"), std::string::npos) << answer.body;
  }
  EXPECT_EQ(get("/jobs/17/artifacts/" + std::string(257, 'n')).status, 400);
  EXPECT_EQ(get("/jobs/17/artifacts/" + std::string(256, 'n')).status, 404);
}

TEST_F(JobFiles, ACheckpointIsNoArtifact) {
  EXPECT_EQ(get("/jobs/17/checkpoint").status, 404);
  EXPECT_EQ(get("/jobs/17/checkpoint").at("detail"), "\"job 17 has no checkpoint\"");
  artifact("checkpoint.tar.gz", "the job's own");
  artifact("checkpoint", "this too");
  EXPECT_EQ(get("/jobs/17/checkpoint").status, 404);
  artifact("/checkpoint", "the worker's");
  const Answer answer = get("/jobs/17/checkpoint");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "the worker's");
  EXPECT_EQ(answer.header("X-Checksum-Sha256"), to_hex(sha256("the worker's")));
  EXPECT_EQ(answer.header("X-Drover-Attempt"), "1");
  EXPECT_EQ(answer.header("Content-Disposition"),
            "attachment; filename=\"checkpoint.tar.gz\"; filename*=UTF-8''checkpoint.tar.gz");
  EXPECT_EQ(get("/jobs/17/artifacts/checkpoint.tar.gz").body, "the job's own");
  EXPECT_EQ(get("/jobs/18/checkpoint").status, 404);
}

// It was told the path where it expects a name.
TEST_F(JobFiles, AWorkerOfTheFirstVersionFindsTheCheckpointAsAnArtifact) {
  artifact("/checkpoint", "the worker's");
  EXPECT_EQ(get("/jobs/17/artifacts/%2Fjobs%2F17%2Fcheckpoint").body, "the worker's");
  EXPECT_EQ(get("/jobs/17/artifacts/%2Fjobs%2F18%2Fcheckpoint").status, 400);
}

TEST_F(JobFiles, ArtifactsThatAreNotThere) {
  artifact("out.bin", "x");
  EXPECT_EQ(get("/jobs/17/artifacts/other").status, 404);
  store.artifact_rows.push_back({1, "lost", 1, {}, clock.now});  // a row without its bytes
  EXPECT_EQ(get("/jobs/17/artifacts/lost").status, 404);
}

}  // namespace
}  // namespace drover::api
