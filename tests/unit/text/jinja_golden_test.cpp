// Templates whose output transformers recorded (tools/goldens/chat_template.py).
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "support/source_dir.h"
#include "text/chat_template.h"
#include "text/jinja/template.h"

namespace quern::text {

namespace {

using Json = nlohmann::ordered_json;

Json golden(const std::string& name) {
  setenv("TZ", "UTC", 1);
  return Json::parse(
      read_file(std::string(QUERN_SOURCE_DIR "/tests/golden/chat_template/") + name, 1 << 20).value());
}

jinja::RenderOptions options_of(const Json& file) {
  jinja::RenderOptions options;
  options.now = file["now"].get<std::time_t>();
  return options;
}

// The text, or the error, agrees with what was recorded; what a template raises itself says the same.
void expect_outcome(const Json& expected, const Result<jinja::Rendered>& got, const std::string& what) {
  if (expected.contains("output")) {
    ASSERT_TRUE(got.ok()) << what << "\n" << got.error().message;
    EXPECT_EQ(got->text, expected["output"].get<std::string>()) << what;
    return;
  }
  ASSERT_FALSE(got.ok()) << what << "\nexpected " << expected["error"] << ", got\n" << got->text;
  if (expected.contains("message")) {
    EXPECT_TRUE(got.error().message.ends_with(expected["message"].get<std::string>())) << what << "\n"
                                                                                       << got.error().message;
  }
}

}  // namespace

TEST(JinjaGolden, LanguageEqualsJinja) {
  const Json file = golden("language.json");
  ASSERT_GT(file["cases"].size(), 1000U);
  for (const Json& expected : file["cases"]) {
    const std::string source = expected["template"];
    const auto parsed = jinja::Template::parse(source, "case");
    if (!parsed.ok()) {
      EXPECT_TRUE(expected.contains("error")) << source << "\n" << parsed.error().message;
      continue;
    }
    expect_outcome(expected, parsed->render(file["variables"], options_of(file)), source);
  }
}

TEST(JinjaGolden, ChatsEqualTransformers) {
  const Json file = golden("chats.json");
  std::map<std::string, ChatTemplates> templates;
  for (const auto& [name, source] : file["templates"].items()) {
    ChatTemplates& set = templates[name];
    set.add("default", source.get<std::string>()).value();
    set.set_special_token("bos_token", "<s>");
    set.set_special_token("eos_token", "</s>");
  }
  ASSERT_GT(file["cases"].size(), 100U);
  for (const Json& expected : file["cases"]) {
    ChatRequest request;
    request.messages = file["messages"][expected["messages"].get<std::string>()];
    if (expected["tools"].get<bool>()) request.tools = file["tools"];
    request.add_generation_prompt = expected["prompt"].get<bool>();
    request.variables["enable_thinking"] = false;
    expect_outcome(expected, templates.at(expected["template"]).render(request, options_of(file)),
                   expected.dump());
  }
}

}  // namespace quern::text
