#include "grammar/json_schema.h"

#include <nlohmann/json.hpp>

#include "samples.h"

namespace quern::grammar {
namespace {

Result<GrammarPtr> compile_text(std::string_view schema, JsonSpace space = JsonSpace::some,
                                Limits limits = {}) {
  Rules rules(limits);
  QUERN_TRY(const RuleId root, parse_json_schema(schema, rules, {.space = space}));
  return Grammar::compile(std::move(rules), root);
}

struct SchemaCase {
  std::string_view schema;
  std::vector<std::string_view> yes, no;
};

class Schema : public testing::TestWithParam<SchemaCase> {};

TEST_P(Schema, TakesInstancesAndNothingElse) {
  const auto grammar = compile_text(GetParam().schema);
  ASSERT_TRUE(grammar.ok()) << grammar.error().to_string();
  for (const std::string_view text : GetParam().yes)
    EXPECT_TRUE(matches(*grammar, text)) << GetParam().schema << "\n" << text;
  for (const std::string_view text : GetParam().no)
    EXPECT_FALSE(matches(*grammar, text)) << GetParam().schema << "\n" << text;
}

INSTANTIATE_TEST_SUITE_P(
    All, Schema,
    testing::Values(
        SchemaCase{"true",
                   {"1", "{\"a\": [null, true]}", "\"x\"", "-0.5e+3"},
                   {"", "tru", "{a:1}", "[1,]", "01", "1."}},
        SchemaCase{R"({"type": ["string", "null"]})",
                   {"\"a\\n\\u00e9\\ud83d\\ude00é\"", "null"},
                   {"1", "\"a\nb\"", "\"\\x\"", "\"\\ud83d\"", "\"\\ude00\""}},
        SchemaCase{R"({"enum": [1, "a\"b", null, {"k": [1, 2]}]})",
                   {"1", "\"a\\\"b\"", "null", "{\"k\": [1, 2]}", "{\"k\":[1,2]}"},
                   {"2", "\"a\"", "{\"k\":[1]}"}},
        SchemaCase{R"({"const": "x"})", {"\"x\""}, {"\"y\""}},
        SchemaCase{
            R"({"enum": ["a", "bb", 3, 4], "type": "string", "minLength": 2})", {"\"bb\""}, {"\"a\"", "3"}},
        SchemaCase{
            R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}, "c": {}},
                 "required": ["b"]})",
            {"{\"b\": true}", "{\"a\": 1, \"b\": false}", "{\"a\":1,\"b\":true,\"c\":[{}]}",
             "{\n  \"b\": true,\n  \"c\": 1\n}"},
            {"{}", "{\"a\": 1}", "{\"b\": true, \"a\": 1}", "{\"b\": true, \"d\": 1}", "{\"b\": true,}",
             "{,\"b\": true}"}},
        SchemaCase{
            R"({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "integer"}})",
            {"{}", "{\"a\": null}", "{\"a\": null, \"x\": 1, \"aa\": 2}", "{\"x\": 1}"},
            {"{\"a\": 1}", "{\"x\": null}", "{\"x\": 1, \"a\": 2}", "{\"\\u0061\": 1}"}},
        SchemaCase{R"({"type": "object", "properties": {"a": true}, "required": ["a", "z"]})",
                   {"{\"a\": 1, \"z\": 2}"},
                   {"{\"a\": 1}", "{\"z\": 2}"}},
        SchemaCase{R"({"type": "object"})", {"{}", "{\"x\": {\"y\": []}}"}, {"[]", "1"}},
        SchemaCase{
            R"({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 2})",
            {"{\"a\": 1}", "{\"a\": 1, \"b\": 2}"},
            {"{}", "{\"a\": 1, \"b\": 2, \"c\": 3}"}},
        SchemaCase{
            R"({"properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "minProperties": 2})",
            {"{\"a\": 1, \"c\": 3}", "{\"b\": 2, \"c\": 3}", "{\"a\": 1, \"b\": 2, \"c\": 3}"},
            {"{}", "{\"a\": 1}", "{\"c\": 3}"}},
        SchemaCase{
            R"({"patternProperties": {"^x_": {"type": "integer"}}, "properties": {"x_s": {"minimum": 5}, "q": {}}})",
            {"{\"x_s\": 6, \"x_a\": 1}", "{\"q\": null}", "{\"x_\": 0}"},
            {"{\"x_s\": 4}", "{\"x_a\": \"s\"}", "{\"y\": 1}"}},
        SchemaCase{R"({"type": "object", "propertyNames": {"pattern": "^[a-c]+$", "maxLength": 2}})",
                   {"{\"ab\": 1}", "{}"},
                   {"{\"abc\": 1}", "{\"d\": 1}"}},
        SchemaCase{R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})",
                   {"[1]", "[1, 2]", "[1,2,3]", "[\n1,\n2]"},
                   {"[]", "[1,2,3,4]", "[1,]", "[\"a\"]"}},
        SchemaCase{
            R"({"prefixItems": [{"const": 1}, {"const": 2}], "items": {"type": "string"}, "minItems": 1})",
            {"[1]", "[1, 2]", "[1, 2, \"a\", \"b\"]"},
            {"[]", "[2]", "[1, \"a\"]", "[1, 2, 3]"}},
        SchemaCase{
            R"({"items": [{"const": 1}], "additionalItems": false})", {"[]", "[1]"}, {"[1, 2]", "[2]"}},
        SchemaCase{
            R"({"type": "array", "items": {"type": "boolean"}, "minItems": 100})", {}, {"[true]", "[]"}},
        SchemaCase{R"({"type": "string", "minLength": 2, "maxLength": 3})",
                   {"\"ab\"", "\"é€😀\"", "\"\\n\\\"\""},
                   {"\"a\"", "\"abcd\"", "\"\\n\""}},
        SchemaCase{R"({"type": "string", "pattern": "^[A-Z]{2}\\d+$", "maxLength": 4})",
                   {"\"AB1\"", "\"AB12\""},
                   {"\"AB\"", "\"AB123\"", "\"xAB1\""}},
        SchemaCase{R"({"type": "string", "pattern": "a.c"})",
                   {"\"abc\"", "\"xxa\\\"cyy\"", "\"a\\tc\""},
                   {"\"ac\"", "\"a\\nc\""}},
        SchemaCase{R"({"type": "string", "format": "date"})",
                   {"\"2026-11-22\"", "\"2024-12-31\""},
                   {"\"2026-13-01\"", "\"2026-02-30\"", "\"2026-1-1\""}},
        SchemaCase{R"({"type": "string", "format": "date-time"})",
                   {"\"2026-11-22T12:00:00Z\"", "\"2026-11-22T23:59:59.5+01:00\""},
                   {"\"2026-11-22\"", "\"2026-11-22T24:00:00Z\""}},
        SchemaCase{R"({"type": "string", "format": "ipv4"})",
                   {"\"127.0.0.1\"", "\"255.255.255.255\""},
                   {"\"256.0.0.1\"", "\"1.2.3\""}},
        SchemaCase{R"({"type": "string", "format": "uuid"})",
                   {"\"123e4567-e89b-12d3-a456-426614174000\""},
                   {"\"123\""}},
        SchemaCase{R"({"type": "string", "format": "email"})",
                   {"\"a.b+c@d-e.org\""},
                   {"\"a@b\"", "\"@b.org\"", "\"a b@c.org\""}},
        SchemaCase{R"({"type": "integer", "minimum": -3, "maximum": 12})",
                   {"-3", "-1", "0", "9", "10", "12"},
                   {"-4", "13", "20", "00", "1.0", "100", "-10"}},
        SchemaCase{R"({"type": "integer", "exclusiveMinimum": 99, "multipleOf": 25})",
                   {"100", "125", "1000"},
                   {"99", "101", "75", "0100"}},
        SchemaCase{R"({"type": "integer", "minimum": 1.5, "maximum": 3.5})", {"2", "3"}, {"1", "4"}},
        SchemaCase{R"({"type": "number", "minimum": 0.5, "exclusiveMaximum": 10.25})",
                   {"0.5", "0.50", "0.51", "1", "9.999", "10", "10.0", "10.2", "10.249"},
                   {"0", "0.4", "0.49", "10.25", "10.3", "11", "-1", "10.250", "1e1"}},
        SchemaCase{R"({"type": "number", "minimum": -1.25, "maximum": 0})",
                   {"-1.25", "-1", "-0.3", "0", "0.00"},
                   {"-1.26", "-2", "0.1", "1"}},
        SchemaCase{R"({"type": "number", "multipleOf": 0.01})", {"1", "-1.25", "0.5"}, {"0.001", "1.234"}},
        SchemaCase{R"({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]})",
                   {"5", "\"a\""},
                   {"\"ab\"", "null"}},
        SchemaCase{
            R"({"type": "object", "properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})",
            {"{\"a\": 1}", "{\"b\": 1}", "{\"a\": 1, \"b\": 1}"},
            {"{}"}},
        SchemaCase{
            R"({"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"$ref": "#/$defs/b"},
                           {"properties": {"a": {"maximum": 5}}}],
                 "$defs": {"b": {"properties": {"b": {"type": "string"}}}}})",
            {"{\"a\": 5}", "{\"a\": 1, \"b\": \"x\"}"},
            {"{\"a\": 6}", "{\"b\": \"x\"}", "{\"a\": 1, \"b\": 1}"}},
        SchemaCase{
            R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"},
                 "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["v", "next"]}}})",
            {"{\"v\": 1, \"next\": {\"v\": 2, \"next\": null}}"},
            {"{\"v\": 1}", "{\"v\": 1, \"next\": 3}"}},
        SchemaCase{
            R"({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}})",
            {"{}", "{\"children\": [{}, {\"children\": []}]}"},
            {"{\"children\": [1]}"}}));

TEST(JsonSchema, WithoutSpaces) {
  const auto grammar =
      compile_text(R"({"properties": {"a": {"items": {"type": "integer"}}}, "required": ["a"]})",
                   JsonSpace::none)
          .value();
  EXPECT_TRUE(matches(grammar, "{\"a\":[1,2]}"));
  EXPECT_FALSE(matches(grammar, "{\"a\": [1,2]}"));
  EXPECT_EQ(Matcher(grammar).forced_bytes(), "{\"a\":[");
}

TEST(JsonSchema, SpacesHaveAnEnd) {
  const auto grammar = compile_text("{\"type\": \"object\"}").value();
  EXPECT_TRUE(matches(grammar, "{\n                    \"a\": 1}"));
  EXPECT_FALSE(matches(grammar, "{\n                     \"a\": 1}"));
  EXPECT_FALSE(matches(grammar, "{  \"a\": 1}"));
}

TEST(JsonSchema, AnyJson) {
  Rules rules;
  const RuleId root = any_json(rules, true);
  const auto grammar = Grammar::compile(std::move(rules), root).value();
  EXPECT_TRUE(matches(grammar, "{\"a\": [1, {\"b\": \"\\u0041\"}]}"));
  EXPECT_FALSE(matches(grammar, "[1]"));
}

TEST(JsonSchema, RefusesWhatItCannotKeepWithItsPath) {
  for (const auto& [schema, part] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"{", "not valid JSON"},
           {"5", "#: expected a schema"},
           {R"({"type": "strin"})", "#/type: \"strin\" is not a type"},
           {R"({"properties": {"a": {"uniqueItems": true}}})",
            "#/properties/a/uniqueItems: this keyword cannot"},
           {R"({"propertys": {}})", "did you mean 'properties'"},
           {R"({"not": {}})", "#/not"},
           {R"({"if": {}, "then": {}})", "#/if"},
           {R"x({"properties": {"a/b": {"pattern": "("}}})x",
            "#/properties/a~1b/pattern: regular expression"},
           {R"x({"type": "string", "pattern": "(?=a)"})x", "look-around"},
           {R"({"type": "string", "format": "moon-phase"})", "format \"moon-phase\" cannot be enforced"},
           {R"({"type": "number", "multipleOf": 0.3})", "#/multipleOf"},
           {R"({"type": "number", "minimum": "1"})", "#/minimum: expected a number"},
           {R"({"type": "string", "minLength": -1})", "#/minLength"},
           {R"({"$ref": "#/$defs/x"})", "there is nothing at this place"},
           {R"({"$ref": "https://example.com/s.json"})", "within the document"},
           {R"({"anyOf": []})", "#/anyOf: expected a list"},
           {R"({"enum": 3})", "#/enum"},
           {R"({"type": "string", "minLength": 3, "maxLength": 2})", "matches no text"},
           {R"({"type": "integer", "minimum": 3, "maximum": 2})", "matches no text"},
           {"false", "matches no text"},
           {R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})",
            "matches no text"},
           {R"({"$defs": {"a": {"$ref": "#/$defs/a", "minimum": 1}}, "$ref": "#/$defs/a"})",
            "leads back to itself"}}) {
    const auto result = compile_text(schema);
    ASSERT_FALSE(result.ok()) << schema;
    EXPECT_NE(result.error().to_string().find(part), std::string::npos) << schema << "\n"
                                                                        << result.error().to_string();
  }
}

TEST(JsonSchema, HostileSchemasFailAlone) {
  std::string nested = "true";
  for (int i = 0; i < 5'000; ++i) nested = "{\"items\":" + nested + "}";
  EXPECT_FALSE(compile_text(nested).ok());
  std::string deep = "{\"type\":\"integer\"}";
  for (int i = 0; i < 60; ++i) deep = "{\"type\":\"array\",\"maxItems\":1000000,\"items\":" + deep + "}";
  EXPECT_TRUE(compile_text(deep).ok());
  std::string many = "{\"enum\":[0";
  for (int i = 1; i < 400'000; ++i) many += "," + std::to_string(i);
  EXPECT_FALSE(compile_text(many + "]}").ok());
  // Each level twice: 2^40 texts, and as many states if they were copied out.
  std::string doubled = "{\"$defs\":{\"d0\":{\"type\":\"null\"}";
  for (int i = 1; i <= 40; ++i) {
    const std::string ref = "{\"$ref\":\"#/$defs/d" + std::to_string(i - 1) + "\"}";
    doubled += ",\"d" + std::to_string(i) + "\":{\"prefixItems\":[" + ref + "," + ref + "],\"items\":false}";
  }
  EXPECT_TRUE(compile_text(doubled + "},\"$ref\":\"#/$defs/d40\"}").ok());
  EXPECT_TRUE(matches(compile_text(R"({"type": "string", "maxLength": 1000000})").value(),
                      "\"" + std::string(5000, 'x') + "\""));
  EXPECT_FALSE(compile_text(R"({"type": "string", "maxLength": 1000000, "pattern": "a"})").ok());
}

TEST(JsonSchema, MasksOfStringsWithLengthsEqualTryingEveryToken) {
  const auto grammar = compile_text(R"({"properties": {"a": {"type": "string", "maxLength": 40},
                                   "b": {"type": "array", "items": {"type": "string", "minLength": 3}, "maxItems": 30},
                                   "c": {"type": "integer", "minimum": 5, "maximum": 500}}})")
                           .value();
  Rng rng(3, 0);
  const auto vocabulary = random_vocabulary(rng, "{}[]\":, abc15\\n\xC3\xA9", 400);
  const auto masks = std::make_shared<TokenMasks>(grammar, vocabulary);
  for (int sample = 0; sample < 12; ++sample) {
    Matcher matcher(masks);
    for (int step = 0; step < 40; ++step) {
      const std::vector<uint64_t> bits = mask_of(matcher, *vocabulary);
      ASSERT_EQ(ids_of(bits), ids_of(slow_mask(matcher, *vocabulary))) << "step " << step;
      const std::vector<TokenId> ids = ids_of(bits);
      if (ids.empty()) break;
      ASSERT_TRUE(matcher.accept_token(ids[rng.below(ids.size())]));
    }
  }
}

}  // namespace
}  // namespace quern::grammar
