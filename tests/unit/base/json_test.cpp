#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Json, ErrorsHaveLineAndColumn) {
  const auto result = parse_json("{\n  \"a\": 1,\n  b\n}", "config.json");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::corrupt);
  EXPECT_THAT(result.error().message, HasSubstr("config.json:3:3: not valid JSON: syntax error"));
  EXPECT_THAT(parse_json("", "x").error().message, HasSubstr("x:1:1"));
  EXPECT_FALSE(parse_json("\"\xff\"", "x").ok());
  EXPECT_FALSE(parse_json("1e999", "x").ok());
  EXPECT_FALSE(parse_json("{} {}", "x").ok());
}

TEST(Json, NestingIsLimited) {
  EXPECT_TRUE(parse_json("[[[1]], \"[[[[\\\"[[\"]", "x", 3).ok());
  const auto result = parse_json("[[[[1]]]]", "x", 3);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("x:1:4: not valid JSON: nested more than 3 deep"));
  EXPECT_FALSE(parse_json(std::string(1000000, '['), "x").ok());
}

TEST(Json, TypedAccessNamesTheKey) {
  const nlohmann::json document = nlohmann::json::parse(
      R"({"a": {"step": 7, "lr": 0.5, "name": "x", "on": true, "ids": [1, 2], "big": 18446744073709551615}})");
  EXPECT_EQ(json_get<int64_t>(document, "a.step", "s").value(), 7);
  EXPECT_EQ(json_get<uint64_t>(document, "a.big", "s").value(), UINT64_MAX);
  EXPECT_EQ(json_get<double>(document, "a.step", "s").value(), 7.0);
  EXPECT_EQ(json_get<std::string>(document, "a.name", "s").value(), "x");
  EXPECT_TRUE(json_get<bool>(document, "a.on", "s").value());
  EXPECT_THAT(json_get<std::vector<int64_t>>(document, "a.ids", "s").value(), ElementsAre(1, 2));
  EXPECT_EQ(json_get<int64_t>(document, "a.lr", "state.json").error().message,
            "state.json: a.lr: expected an integer, got 0.5");
  EXPECT_EQ(json_get<int64_t>(document, "a.none", "s").error().message,
            "s: a.none: expected an integer, got nothing");
  EXPECT_FALSE(json_get<int64_t>(document, "a.big", "s").ok());
  EXPECT_FALSE(json_get<int64_t>(document, "a.step.x", "s").ok());
  EXPECT_FALSE(json_get<std::vector<std::string>>(document, "a.ids", "s").ok());
}

}  // namespace
}  // namespace quern
