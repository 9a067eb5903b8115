#include "server/batch_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "support/temp_dir.h"
#include "unit/server/api_fixture.h"

namespace quern::server::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class BatchServiceTest : public ApiTest {
 protected:
  BatchServiceTest() { open(); }
  ~BatchServiceTest() override { router_ = Router(); }
  // As a server does when it starts; what there was ends first.
  void open(const BatchRunner::Options& options = {}) {
    router_ = Router();
    router_ = api_routes(models_);
    ASSERT_TRUE(add_batches(router_, models_, folder_, options).ok());
  }

  std::shared_ptr<AwaitedReply> upload(const std::string& content, const std::string& purpose = "batch") {
    return ask(
        "POST", "/v1/files",
        "--X1\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n" + purpose +
            "\r\n--X1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n" +
            content + "\r\n--X1--\r\n",
        {{"Content-Type", "multipart/form-data; boundary=X1"}});
  }
  std::string file_of(const std::string& content) {
    return Json::parse(upload(content)->body())["id"].get<std::string>();
  }
  Json line(const std::string& id, Json body) {
    return {
        {"custom_id", id}, {"method", "POST"}, {"url", "/v1/chat/completions"}, {"body", std::move(body)}};
  }
  Json create(const std::string& file, const std::string& endpoint = "/v1/chat/completions") {
    return post("/v1/batches",
                {{"input_file_id", file}, {"endpoint", endpoint}, {"completion_window", "24h"}});
  }
  Json get(const std::string& path) { return Json::parse(ask("GET", path)->body()); }
  // Until it changes no more.
  Json ended(const Json& batch) {
    const std::string path = "/v1/batches/" + batch["id"].get<std::string>();
    for (int i = 0; i < 2000; ++i) {
      const Json now = get(path);
      const std::string status = now["status"];
      if (status != "validating" && status != "in_progress" && status != "finalizing" &&
          status != "cancelling")
        return now;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ADD_FAILURE() << "the batch does not end";
    return nullptr;
  }
  std::map<std::string, Json> rows(const Json& file) {
    std::map<std::string, Json> rows;
    std::istringstream text(ask("GET", "/v1/files/" + file.get<std::string>() + "/content")->body());
    for (std::string row; std::getline(text, row);) {
      const Json parsed = Json::parse(row);
      rows[parsed["custom_id"].get<std::string>()] = parsed;
    }
    return rows;
  }

  quern::test::TempDir temporary_;
  const fs::path folder_ = temporary_.path() / "data";
};

TEST_F(BatchServiceTest, KeepsFiles) {
  const Json file = Json::parse(upload("{}\n")->body());
  EXPECT_EQ(file["object"], "file");
  EXPECT_EQ(file["filename"], "in.jsonl");
  EXPECT_EQ(file["bytes"], 3);
  const std::string path = "/v1/files/" + file["id"].get<std::string>();
  EXPECT_EQ(get(path), file);
  EXPECT_EQ(get("/v1/files")["data"][0], file);
  EXPECT_EQ(get("/v1/files")["has_more"], false);
  EXPECT_EQ(ask("GET", path + "/content")->body(), "{}\n");
  caller_ = std::make_shared<const Caller>(Caller{.name = "eve"});
  EXPECT_TRUE(get("/v1/files")["data"].empty());
  EXPECT_EQ(ask("GET", path)->status(), 404);
  EXPECT_EQ(ask("GET", path + "/content")->status(), 404);
  EXPECT_EQ(ask("DELETE", path)->status(), 404);
  caller_ = nullptr;
  open();
  EXPECT_EQ(get(path), file);
  EXPECT_EQ(Json::parse(ask("DELETE", path)->body())["deleted"], true);
  EXPECT_EQ(ask("GET", path)->status(), 404);
}

TEST_F(BatchServiceTest, AnswersEveryLine) {
  Json wrong = hi_;
  wrong["temperature"] = "hot";
  Json streamed = hi_;
  streamed["stream"] = true;
  const std::string file =
      file_of(line("a", hi_).dump() + "\n\n" + line("b", wrong).dump() + "\r\n" + line("c", streamed).dump());
  const Json batch = create(file);
  EXPECT_EQ(batch["object"], "batch");
  EXPECT_EQ(batch["status"], "validating");
  const Json done = ended(batch);
  EXPECT_EQ(done["status"], "completed");
  EXPECT_EQ(done["request_counts"], Json({{"total", 3}, {"completed", 2}, {"failed", 1}}));
  EXPECT_TRUE(done["completed_at"].is_number() && done["finalizing_at"].is_number());
  auto answers = rows(done["output_file_id"]);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers["a"]["response"]["status_code"], 200);
  for (const char* id : {"a", "c"})
    EXPECT_EQ(answers[id]["response"]["body"]["choices"][0]["message"]["content"], "Hello \u00fc!");
  auto errors = rows(done["error_file_id"]);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors["b"]["response"]["status_code"], 400);
  EXPECT_EQ(get("/v1/batches")["data"][0]["id"], batch["id"]);
  EXPECT_EQ(get("/v1/files")["data"].size(), 3u);
}

TEST_F(BatchServiceTest, SaysWhatIsWrongInAFile) {
  Json other = line("c", hi_);
  other["url"] = "/v1/completions";
  const std::string file = file_of("{broken\n" + line("a", hi_).dump() + "\n" + line("a", hi_).dump() + "\n" +
                                   other.dump() + "\n[1]\n{\"custom_id\": 5}");
  const Json done = ended(create(file));
  EXPECT_EQ(done["status"], "failed");
  const Json& errors = done["errors"]["data"];
  ASSERT_EQ(errors.size(), 5u) << errors.dump(1);
  EXPECT_EQ(errors[0]["code"], "invalid_json_line");
  EXPECT_EQ(errors[0]["line"], 1);
  EXPECT_EQ(errors[1]["code"], "duplicate_custom_id");
  EXPECT_EQ(errors[2]["code"], "mismatched_endpoint");
  EXPECT_EQ(errors[4]["param"], "custom_id");
  EXPECT_EQ(ended(create(file_of("\n \n")))["errors"]["data"][0]["code"], "empty_file");
}

TEST_F(BatchServiceTest, IsCancelled) {
  serve(std::string(500, 'x'));  // slow
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += line(std::to_string(i), hi_).dump() + "\n";
  const std::string file = file_of(lines);
  const Json batch = create(file);
  EXPECT_EQ(ask("DELETE", "/v1/files/" + file)->status(), 409);
  const std::string path = "/v1/batches/" + batch["id"].get<std::string>();
  caller_ = std::make_shared<const Caller>(Caller{.name = "eve"});
  EXPECT_EQ(ask("GET", path)->status(), 404);
  EXPECT_EQ(ask("POST", path + "/cancel", Json::object())->status(), 404);
  caller_ = nullptr;
  EXPECT_EQ(post(path + "/cancel", Json::object())["status"], "cancelling");
  const Json done = ended(batch);
  EXPECT_EQ(done["status"], "cancelled");
  EXPECT_LT(done["request_counts"]["completed"].get<int>(), 100);
  EXPECT_EQ(ask("POST", path + "/cancel", Json::object())->status(), 409);
  EXPECT_EQ(ask("DELETE", "/v1/files/" + file)->status(), 200);
}

// What a server that was killed left: one answer, half of another, and no place in a list.
TEST_F(BatchServiceTest, GoesOnAfterARestart) {
  const std::string file = file_of(line("a", hi_).dump() + "\n" + line("b", hi_).dump());
  router_ = Router();
  Batch batch{.id = "batch_1", .endpoint = "/v1/chat/completions", .input_file = file};
  batch.enter(BatchStatus::in_progress);
  batch.times["created_at"] = 1;
  batch.times["expires_at"] = INT64_MAX;
  std::ofstream(folder_ / "batches" / "batch_1.json") << batch.record().dump();
  std::ofstream(folder_ / "batches" / "batch_2.json") << "{broken";
  std::ofstream(folder_ / "batches" / "batch_1.output.jsonl")
      << R"({"custom_id": "a", "response": {"body": "from before"}})"
      << "\n"
      << R"({"custom_id": "b", "resp)";
  open();
  const Json done = ended({{"id", "batch_1"}});
  EXPECT_EQ(done["status"], "completed");
  auto answers = rows(done["output_file_id"]);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers["a"]["response"]["body"], "from before");
  EXPECT_EQ(answers["b"]["response"]["status_code"], 200);
}

TEST_F(BatchServiceTest, Expires) {
  open({.seconds = 0});
  const Json done = ended(create(file_of(line("a", hi_).dump())));
  EXPECT_EQ(done["status"], "expired");
  EXPECT_EQ(rows(done["error_file_id"])["a"]["error"]["code"], "batch_expired");
}

TEST_F(BatchServiceTest, SaysWhatIsWrong) {
  EXPECT_EQ(upload("x", "fine-tune")->status(), 400);
  EXPECT_EQ(upload("", "batch")->status(), 400);
  EXPECT_EQ(ask("POST", "/v1/files", "garbage")->status(), 400);
  EXPECT_EQ(ask("GET", "/v1/files/..%2F..%2Fetc%2Fpasswd")->status(), 404);
  EXPECT_EQ(ask("GET", "/v1/batches/none")->status(), 404);
  const std::string file = file_of("{}");
  const auto refused = [&](const std::string& key, const Json& value, int status = 400) {
    Json body = {{"input_file_id", file}, {"endpoint", "/v1/completions"}, {"completion_window", "24h"}};
    body[key] = value;
    return refusal("/v1/batches", body, status);
  };
  EXPECT_THAT(refused("input_file_id", "file-none", 404), HasSubstr("file-none"));
  EXPECT_THAT(refused("input_file_id", 5), HasSubstr("input_file_id must be"));
  EXPECT_THAT(refused("endpoint", "/v1/models"), HasSubstr("one of /v1/chat/completions"));
  EXPECT_THAT(refused("completion_window", "1h"), HasSubstr("24h"));
  EXPECT_THAT(refused("metadata", {{"a", 1}}), HasSubstr("metadata"));
  EXPECT_THAT(refusal("/v1/batches", Json::array()), HasSubstr("the body must be an object"));
}

TEST_F(BatchServiceTest, IsForOneServerAtATime) {
  Router other;
  const Result<void> second = add_batches(other, models_, folder_, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace quern::server::test
