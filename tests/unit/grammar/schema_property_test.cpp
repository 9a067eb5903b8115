// Random schemas, with instances that an independent generator makes of them, and an independent judge of what their
// grammars let through.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "grammar/json_schema.h"
#include "samples.h"

namespace quern::grammar {
namespace {

using Json = nlohmann::ordered_json;

std::string letters(Rng& rng, uint64_t least, uint64_t most) {
  constexpr std::string_view kLetters[] = {"a", "b", "é", "😀", "\"", "\\", "\n", " "};
  std::string text;
  for (uint64_t length = least + rng.below(most - least + 1); length > 0; --length)
    text += kLetters[rng.below(8)];
  return text;
}

size_t length_of(std::string_view text) {
  size_t length = 0;
  for (; !text.empty(); ++length) take_char(text);
  return length;
}

Json random_schema(Rng& rng, int depth) {
  switch (rng.below(depth > 0 ? 9 : 5)) {
    case 0:
      return {{"type", "boolean"}};
    case 1: {
      const auto least = static_cast<int64_t>(rng.below(2000)) - 1000;
      return {{"type", "integer"},
              {"minimum", least},
              {"maximum", least + static_cast<int64_t>(rng.below(1500))}};
    }
    case 2: {
      const double least = static_cast<double>(rng.below(4000)) / 16.0 - 100.0;
      return {{"type", "number"},
              {"exclusiveMinimum", least},
              {"maximum", least + 0.125 + static_cast<double>(rng.below(1000)) / 8.0}};
    }
    case 3: {
      const uint64_t least = rng.below(4);
      return {{"type", "string"}, {"minLength", least}, {"maxLength", least + rng.below(60)}};
    }
    case 4:
      return {{"enum", Json::array({rng.below(100), letters(rng, 0, 5), nullptr, Json::array({true, 1.5})})}};
    case 5: {
      const uint64_t least = rng.below(3);
      return {{"type", "array"},
              {"items", random_schema(rng, depth - 1)},
              {"minItems", least},
              {"maxItems", least + rng.below(6)}};
    }
    case 6:
      return {{"anyOf", Json::array({random_schema(rng, depth - 1), random_schema(rng, depth - 1)})}};
    default: {
      Json schema = {{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
      for (uint64_t i = 0, count = 1 + rng.below(4); i < count; ++i) {
        const std::string name = letters(rng, 1, 2) + std::to_string(i);
        schema["properties"][name] = random_schema(rng, depth - 1);
        if (rng.below(2) == 0) schema["required"].push_back(name);
      }
      if (rng.below(3) == 0) schema["additionalProperties"] = random_schema(rng, 0);
      if (rng.below(3) == 0) schema["maxProperties"] = schema["required"].size() + rng.below(3);
      return schema;
    }
  }
}

Json instance(const Json& schema, Rng& rng) {
  if (schema.contains("enum")) return schema["enum"][rng.below(schema["enum"].size())];
  if (schema.contains("anyOf")) return instance(schema["anyOf"][rng.below(2)], rng);
  const std::string type = schema["type"];
  if (type == "boolean") return rng.below(2) == 0;
  if (type == "string") return letters(rng, schema["minLength"], schema["maxLength"]);
  if (type == "integer") {
    const int64_t least = schema["minimum"], most = schema["maximum"];
    return least + static_cast<int64_t>(rng.below(static_cast<uint64_t>(most - least) + 1));
  }
  if (type == "number") {
    const double least = schema["exclusiveMinimum"], most = schema["maximum"];
    return most - static_cast<double>(rng.below(static_cast<uint64_t>((most - least) * 64.0))) / 64.0;
  }
  Json result = type == "array" ? Json::array() : Json::object();
  if (type == "array") {
    const uint64_t least = schema["minItems"], most = schema["maxItems"];
    for (uint64_t count = least + rng.below(most - least + 1); count > 0; --count)
      result.push_back(instance(schema["items"], rng));
    return result;
  }
  uint64_t room = schema.value("maxProperties", uint64_t{100}) - schema["required"].size();
  for (const auto& [name, value] : schema["properties"].items()) {
    const bool required = std::ranges::find(schema["required"], Json(name)) != schema["required"].end();
    if (!required && (room == 0 || rng.below(2) == 0)) continue;
    if (!required) --room;
    result[name] = instance(value, rng);
  }
  if (schema.contains("additionalProperties") && room > 0 && rng.below(2) == 0)
    result["more"] = instance(schema["additionalProperties"], rng);
  return result;
}

bool valid(const Json& schema, const Json& value) {
  if (schema.contains("enum")) return std::ranges::find(schema["enum"], value) != schema["enum"].end();
  if (schema.contains("anyOf")) return valid(schema["anyOf"][0], value) || valid(schema["anyOf"][1], value);
  const std::string type = schema["type"];
  if (type == "boolean") return value.is_boolean();
  if (type == "string") {
    if (!value.is_string()) return false;
    const size_t length = length_of(value.get<std::string>());
    return length >= schema["minLength"] && length <= schema["maxLength"];
  }
  if (type == "integer")
    return value.is_number_integer() && value >= schema["minimum"] && value <= schema["maximum"];
  if (type == "number")
    return value.is_number() && value > schema["exclusiveMinimum"] && value <= schema["maximum"];
  if (type == "array") {
    return value.is_array() && value.size() >= schema["minItems"] && value.size() <= schema["maxItems"] &&
           std::ranges::all_of(value, [&](const Json& item) { return valid(schema["items"], item); });
  }
  if (!value.is_object() || value.size() > schema.value("maxProperties", size_t{1000})) return false;
  for (const Json& name : schema["required"]) {
    if (!value.contains(name.get<std::string>())) return false;
  }
  for (const auto& [name, item] : value.items()) {
    const bool named = schema["properties"].contains(name);
    if (!named && !schema.contains("additionalProperties")) return false;
    if (!valid(named ? schema["properties"][name] : schema["additionalProperties"], item)) return false;
  }
  return true;
}

GrammarPtr compile_schema(const Json& schema) {
  Rules rules;
  const RuleId root = parse_json_schema(schema.dump(), rules).value();
  return Grammar::compile(std::move(rules), root).value();
}

// A text by chance, which soon prefers what closes. Empty where it found no end.
std::string random_text(const GrammarPtr& grammar, Rng& rng) {
  ParseStack stack(grammar);
  std::string text;
  for (int step = 0; step < 3000; ++step) {
    std::array<bool, 256> next{};
    stack.next_bytes(next);
    std::vector<uint8_t> bytes;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (next[byte]) bytes.push_back(static_cast<uint8_t>(byte));
    }
    if (bytes.empty() || (stack.can_end() && rng.below(4) == 0)) return text;
    uint8_t chosen = bytes[rng.below(bytes.size())];
    for (const char closing : {'"', '}', ']', ','}) {
      if (step > 40 && next[static_cast<uint8_t>(closing)] && rng.below(3) > 0)
        chosen = static_cast<uint8_t>(closing);
    }
    if (!stack.push(chosen)) return {};
    text += static_cast<char>(chosen);
  }
  return {};
}

TEST(SchemaProperties, InstancesAreAccepted) {
  Rng rng(21, 0);
  for (int round = 0; round < 60; ++round) {
    const Json schema = random_schema(rng, 3);
    const GrammarPtr grammar = compile_schema(schema);
    for (int i = 0; i < 10; ++i) {
      const Json value = instance(schema, rng);
      ASSERT_TRUE(valid(schema, value)) << schema << "\n" << value;
      EXPECT_TRUE(matches(grammar, value.dump())) << schema << "\n" << value;
      EXPECT_TRUE(matches(grammar, value.dump(2))) << schema << "\n" << value.dump(2);
    }
  }
}

TEST(SchemaProperties, WhatIsAcceptedIsAnInstance) {
  Rng rng(22, 0);
  int judged = 0;
  for (int round = 0; round < 80; ++round) {
    const Json schema = random_schema(rng, 3);
    const GrammarPtr grammar = compile_schema(schema);
    for (int i = 0; i < 10; ++i) {
      const std::string text = random_text(grammar, rng);
      if (text.empty()) continue;
      const Json value = Json::parse(text, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << schema << "\n" << text;
      EXPECT_TRUE(valid(schema, value)) << schema << "\n" << text;
      ++judged;
    }
  }
  EXPECT_GT(judged, 400);
}

}  // namespace
}  // namespace quern::grammar
