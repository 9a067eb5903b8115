#include "server/audit_entry.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/audit_log.h"

namespace quern::server {
namespace {

using Json = nlohmann::ordered_json;

RequestRecord answered() {
  return {.id = "req-1",
          .method = "POST",
          .path = "/v1/completions",
          .remote = "10.0.0.1",
          .route = "/v1/completions",
          .body = R"({"model": "m", "prompt": "a secret", "max_tokens": 4})",
          .status = 200,
          .seconds = 0.25,
          .noted = {.caller = "alice",
                    .model = "m",
                    .prompt_tokens = 3,
                    .generated_tokens = 4,
                    .answers = {"another secret"}}};
}

TEST(AuditEntry, TellsWhoAskedWhatAndGotWhat) {
  EXPECT_EQ(audit_entry(answered()),
            Json::parse(R"({"id": "req-1", "caller": "alice", "remote": "10.0.0.1", "method": "POST",
                      "path": "/v1/completions", "model": "m", "status": 200, "prompt_tokens": 3,
                      "generated_tokens": 4, "seconds": 0.25,
                      "request": {"model": "m", "prompt": "a secret", "max_tokens": 4},
                      "answers": ["another secret"]})"));
}

TEST(AuditEntry, TellsOfBodiesThatAreNoDocumentsByTheirLength) {
  RequestRecord record = answered();
  record.noted = {};
  record.body = "{\"prompt\": secr";
  EXPECT_EQ(audit_entry(record)["request"], "[15 bytes]");
  EXPECT_TRUE(audit_entry(record)["caller"].is_null());
  record.body = "";
  EXPECT_TRUE(audit_entry(record)["request"].is_null());
  record.body = Json(std::string(2 << 20, 'x')).dump();
  EXPECT_EQ(audit_entry(record)["request"], "[2097154 bytes]");
}

TEST(AuditEntry, SaysNothingOfContentsWhenRedacted) {
  const std::string text = redacted(audit_entry(answered())).dump();
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_NE(text.find("[8 bytes]"), std::string::npos) << text;
  EXPECT_NE(text.find("alice"), std::string::npos) << text;
}

}  // namespace
}  // namespace quern::server
