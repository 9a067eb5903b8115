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

// Ordered objects compare each key with all before it.
TEST(Json, KeysOfOrderedObjectsAreLimited) {
  const auto object = [](int keys) {
    std::string text = "{\"\": {\":\": 1}";
    for (int i = 1; i < keys; ++i) text += ", \"" + std::to_string(i) + "\": [{\"a\": 1}]";
    return text + "}";
  };
  EXPECT_TRUE(parse_ordered_json(object(2048), "x").ok());
  const auto result = parse_ordered_json(object(2049), "x");
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("an object of more than 2048 keys"));
  EXPECT_TRUE(parse_json(object(2049), "x").ok());
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
