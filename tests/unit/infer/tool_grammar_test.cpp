#include "infer/tool_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "infer/constraint.h"
#include "infer/generate.h"
#include "unit/infer/scripted_model.h"

namespace quern::infer {
namespace {

using Json = nlohmann::ordered_json;
using Form = ToolCallForm;
constexpr Form kForms[] = {Form::hermes, Form::mistral, Form::mistral_args, Form::llama, Form::plain};

Json tool(const std::string& name, const Json& parameters) {
  return {{"type", "function"}, {"function", {{"name", name}, {"parameters", parameters}}}};
}

// Schemas whose instances are short, whoever writes them.
Json tools() {
  return {tool("weather", {{"type", "object"},
                           {"properties",
                            {{"city", {{"type", "string"}, {"maxLength", 8}}},
                             {"days", {{"type", "integer"}, {"minimum", 1}, {"maximum", 14}}}}},
                           {"required", {"city", "days"}},
                           {"additionalProperties", false}}),
          tool("say-it", {{"properties", {{"unit", {{"enum", {"C", "F"}}}}}}, {"required", {"unit"}}}),
          tool("stop", nullptr)};
}

bool is_call(const std::string& name, const Json& arguments) {
  if (!arguments.is_object()) return false;
  if (name == "stop") return arguments.empty();
  if (name == "say-it")
    return arguments.size() == 1 && (arguments["unit"] == "C" || arguments["unit"] == "F");
  return name == "weather" && arguments.size() == 2 && arguments["city"].is_string() &&
         arguments["days"].is_number_integer() && arguments["days"] >= 1 && arguments["days"] <= 14;
}

struct Calls {
  std::string text;
  std::vector<std::pair<std::string, std::string>> calls;
};
Calls read_calls(Form form, const std::string& text) {
  ToolCallParser parser(form);
  Calls read_calls;
  const auto take = [&](const std::vector<ToolPiece>& pieces) {
    for (const ToolPiece& piece : pieces) {
      read_calls.text += piece.text;
      if (!piece.call) continue;
      read_calls.calls.resize(static_cast<size_t>(piece.call->index) + 1);
      read_calls.calls.back().first += piece.call->name;
      read_calls.calls.back().second += piece.call->arguments;
    }
  };
  take(parser.push(text));
  take(parser.finish());
  return read_calls;
}

// Whether an answer of this text is allowed, and whole.
bool allows(Form form, const std::string& text, bool parallel = true, const Json& listed = tools()) {
  const auto functions = read_functions(listed).value();
  const CallGrammar grammar = call_grammar(form, functions, parallel, byte_tokenizer());
  grammar::Matcher matcher(grammar::compile(grammar.constraint).value());
  return matcher.accept(text) && matcher.can_end();
}

TEST(ToolGrammar, AsTheFormsWriteCalls) {
  const std::string arguments = R"({"city": "Köln", "days": 3})";
  EXPECT_TRUE(allows(Form::hermes,
                     "<tool_call>\n{\"name\": \"weather\", \"arguments\": " + arguments + "}\n</tool_call>"));
  EXPECT_TRUE(allows(Form::hermes,
                     "<tool_call>\n{\"name\": \"stop\", \"arguments\": {}}\n</tool_call>\n"
                     "<tool_call>\n{\"name\": \"say-it\", \"arguments\": {\"unit\":\"C\"}}\n</tool_call>"));
  EXPECT_TRUE(allows(Form::mistral,
                     "[TOOL_CALLS] [{\"name\": \"stop\", \"arguments\": {}}, {\"name\": \"stop\", "
                     "\"arguments\": {}}]"));
  EXPECT_TRUE(allows(Form::mistral_args, "[TOOL_CALLS]stop[ARGS]{}[TOOL_CALLS]weather[ARGS]" + arguments));
  EXPECT_TRUE(allows(Form::llama,
                     "{\"name\": \"stop\", \"parameters\": {}}; {\"name\": \"stop\", \"parameters\": {}}"));
  EXPECT_TRUE(allows(Form::plain, "{\"name\": \"weather\", \"arguments\": " + arguments + "}"));
}

TEST(ToolGrammar, NothingElse) {
  EXPECT_FALSE(allows(Form::plain, "I call nobody."));
  EXPECT_FALSE(allows(Form::plain, "")) << "a call must come";
  EXPECT_FALSE(allows(Form::plain, R"({"name": "unknown", "arguments": {}})"));
  EXPECT_FALSE(allows(Form::plain, R"({"name": "stop", "arguments": {"x": 1}})"));
  EXPECT_FALSE(allows(Form::plain, R"({"name": "weather", "arguments": {"city": "Ulm", "days": 15}})"));
  EXPECT_FALSE(allows(Form::plain, R"({"name": "weather", "arguments": {"city": "Ulm"}})"));
  EXPECT_FALSE(allows(Form::hermes, "<tool_call>\n{\"name\": \"stop\", \"arguments\": {}}"));
}

TEST(ToolGrammar, OneCallWhereOneIsWanted) {
  const std::string call = R"({"name": "stop", "arguments": {}})";
  EXPECT_TRUE(allows(Form::plain, call, false));
  EXPECT_TRUE(allows(Form::plain, call + "\n" + call, true));
  EXPECT_FALSE(allows(Form::plain, call + "\n" + call, false));
}

TEST(ToolGrammar, ArgumentsAreObjects) {
  const auto listed = [](const Json& one) { return Json::array({one}); };
  const Json any = listed(tool("f", Json::object()));
  EXPECT_TRUE(allows(Form::plain, R"({"name": "f", "arguments": {"anything": [1]}})", true, any));
  EXPECT_FALSE(allows(Form::plain, R"({"name": "f", "arguments": 3})", true, any));
  const auto refused = read_functions(listed(tool("f", {{"type", "string"}})));
  EXPECT_THAT(refused.error().message, testing::HasSubstr("'f'"));
  EXPECT_FALSE(read_functions(listed(tool("f", 1))).ok());
  EXPECT_FALSE(read_functions(listed("f")).ok());
  EXPECT_FALSE(read_functions(listed(tool("", nullptr))).ok());
}

// Markers that are special tokens come as such, and in no other way; and no other grammar allows them.
TEST(ToolGrammar, SpecialTokensMarkCalls) {
  text::BpeTrainOptions train;
  train.special_tokens = {"<|endoftext|>", "[TOOL_CALLS]", "[ARGS]"};
  train.vocab_size = 259;
  std::optional<std::string_view> text = "text";
  const auto tokenizer =
      text::train_bpe([&] { return std::exchange(text, std::nullopt); }, train, null_progress()).value();
  const std::vector<int32_t> ends{*tokenizer.token_to_id("<|endoftext|>")};
  const auto vocabulary = make_vocabulary(tokenizer, ends).value();
  grammar::GrammarCache cache(vocabulary);
  const auto allowed = [&](grammar::Matcher& matcher) {
    std::vector<uint64_t> mask(vocabulary->mask_words());
    matcher.fill_mask(mask).value();
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < static_cast<int32_t>(tokenizer.vocab_size()); ++id)
      if (grammar::has_bit(mask, id)) ids.push_back(id);
    return ids;
  };
  const auto functions = read_functions(Json::array({tool("f", nullptr)})).value();
  const CallGrammar calls = call_grammar(Form::mistral_args, functions, true, tokenizer);
  EXPECT_EQ(calls.trigger.text, "[TOOL_CALLS]");
  grammar::Matcher matcher(cache.get(calls.constraint).value());
  EXPECT_THAT(allowed(matcher), testing::ElementsAre(*tokenizer.token_to_id("[TOOL_CALLS]")));
  for (const int32_t id : tokenizer.encode("[TOOL_CALLS]f[ARGS]{}", {.allow_special = true})) {
    EXPECT_TRUE(matcher.accept_token(id)) << id;
  }
  EXPECT_TRUE(matcher.can_end());
  grammar::Matcher any(cache.get({grammar::Constraint::Kind::regex, "[\\s\\S]*"}).value());
  EXPECT_THAT(allowed(any), testing::Not(testing::Contains(*tokenizer.token_to_id("[ARGS]"))));
}

// What a random model says, sampled wildly.
class RandomAnswers : public testing::TestWithParam<Form> {
 protected:
  RandomAnswers() {
    model::ModelConfig config = model::find_family("gpt2").value()->defaults();
    config.vocab_size = tokenizer_.vocab_size();
    config.layers = 1;
    config.heads = 2;
    config.hidden = 16;
    config.max_positions = 1500;
    model_.emplace(model::Decoder::create(config, 5).value());
    ends_ = {*tokenizer_.token_to_id("<|end|>")};
    masks_ = std::make_shared<grammar::GrammarCache>(make_vocabulary(tokenizer_, ends_).value());
  }

  // The text, and whether it came to its end.
  std::pair<std::string, bool> answer(uint64_t seed, GenerateOptions options) {
    options.sampling.seed = seed;
    options.sampling.temperature = 2.0;
    options.max_tokens = 1400;
    options.end_tokens = ends_;
    Session session(*model_, 0);
    session.set_tokens(std::vector<int32_t>{0}).value();
    std::vector<int32_t> ids;
    const FinishReason finish = generate(session, options, [&](const SampledToken& token) {
      ids.push_back(token.id);
      return true;
    });
    return {tokenizer_.decode(ids), finish == FinishReason::stop};
  }

  text::Tokenizer tokenizer_ = byte_tokenizer();
  std::optional<model::Decoder> model_;
  std::vector<int32_t> ends_;
  std::shared_ptr<grammar::GrammarCache> masks_;
  std::vector<ToolFunction> functions_ = read_functions(tools()).value();
};

TEST_P(RandomAnswers, AreCallsThatFollowTheSchemas) {
  for (const bool parallel : {false, true}) {
    const CallGrammar grammar = call_grammar(GetParam(), functions_, parallel, tokenizer_);
    int whole = 0;
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      GenerateOptions options;
      options.constraint = masks_->get(grammar.constraint).value();
      const auto [text, ended] = answer(seed, options);
      if (!ended) continue;
      ++whole;
      const Calls calls = read_calls(GetParam(), text);
      EXPECT_EQ(calls.text, "") << text;
      EXPECT_GE(calls.calls.size(), 1u) << text;
      EXPECT_TRUE(parallel || calls.calls.size() == 1) << text;
      for (const auto& [name, arguments] : calls.calls)
        EXPECT_TRUE(is_call(name, Json::parse(arguments, nullptr, false))) << name << ' ' << arguments;
    }
    EXPECT_GE(whole, parallel ? 1 : 6);
  }
}

INSTANTIATE_TEST_SUITE_P(EachForm, RandomAnswers, testing::ValuesIn(kForms));

// A model that says what it wants, until it begins a call.
TEST(ToolGrammar, FreeUntilACallBegins) {
  const text::Tokenizer tokenizer = byte_tokenizer();
  const int32_t end = *tokenizer.token_to_id("<|end|>");
  const auto vocabulary = make_vocabulary(tokenizer, std::vector<int32_t>{end}).value();
  grammar::GrammarCache cache(vocabulary);
  const auto functions = read_functions(Json::array({tool("stop", nullptr)})).value();
  const auto answer = [&](Form form, const std::string& wish, const std::string& prompt = {}) {
    const CallGrammar calls = call_grammar(form, functions, false, tokenizer);
    std::vector<int32_t> script = tokenizer.encode(wish);
    script.resize(script.size() + 60, end);
    const model::Decoder model = scripted_model(script, tokenizer.vocab_size());
    Session session(model, 0);
    session.set_tokens(std::vector<int32_t>{0}).value();
    GenerateOptions options;
    options.sampling.temperature = 0.0;
    options.end_tokens = {end};
    options.constraint = cache.get(calls.constraint).value();
    options.constraint_start.emplace(prompt, calls.trigger);
    std::vector<int32_t> ids;
    generate(session, options, [&](const SampledToken& token) {
      ids.push_back(token.id);
      return true;
    });
    return tokenizer.decode(ids);
  };
  EXPECT_EQ(answer(Form::hermes, "No call."), "No call.");
  EXPECT_EQ(answer(Form::hermes, "I do <tool_call>\nwhat I like"),
            "I do <tool_call>\n{\"name\": \"stop\", \"arguments\": {}}\n</tool_call>");
  EXPECT_EQ(answer(Form::mistral, "[TOOL_CALLS] [nonsense"),
            "[TOOL_CALLS] [{\"name\": \"stop\", \"arguments\": {}}]");
  EXPECT_EQ(answer(Form::llama, " {\"name\": \"it\"}").substr(0, 16), " {\"name\": \"stop\"");
  EXPECT_EQ(answer(Form::llama, "As {\"name\": \"it\"}"), "As {\"name\": \"it\"}");
  const std::string thought = "<tool_call>, no</think>done";
  EXPECT_EQ(answer(Form::hermes, thought, "<think>\n"), thought);
}

}  // namespace
}  // namespace quern::infer
