#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum class Schedule { constant, cosine };

struct Optimizer {
  double lr = 3e-4;
  float decay = 0.1f;
  void fields(Fields& f) {
    f.add("lr", lr, "peak learning rate").range(0, 1);
    f.add("decay", decay, "weight decay");
  }
};

struct Config {
  std::string path;
  int64_t steps = 100;
  int32_t batch = 8;
  bool resume = false;
  Schedule schedule = Schedule::cosine;
  std::string format = "text";
  std::vector<std::string> stop;
  std::vector<int64_t> sizes{1, 2};
  Optimizer optimizer;
  void fields(Fields& f) {
    f.add("data.path", path, "corpus").required();
    f.add("train.steps", steps, "optimizer steps").at_least(1);
    f.add("train.batch", batch, "sequences per step");
    f.add("train.resume", resume, "go on from the checkpoint");
    f.add("train.schedule", schedule, "learning rate over time",
          {{"constant", Schedule::constant}, {"cosine", Schedule::cosine}});
    f.add("data.format", format, "kind of file").one_of({"text", "jsonl"});
    f.add("stop", stop, "stop strings");
    f.add("sizes", sizes, "sizes");
    f.group("optimizer", optimizer);
  }
};

class ConfigTest : public ::testing::Test {
 protected:
  std::string error_of(const Result<void>& result) { return result.ok() ? "ok" : result.error().to_string(); }
  Config config;
  Fields fields = fields_of(config);
};

TEST_F(ConfigTest, LoadsNestedAndDottedKeys) {
  ASSERT_EQ(error_of(fields.load_yaml(R"(
data: {path: corpus.txt, format: jsonl}
train:
  steps: 1e4
  resume: yes
  schedule: constant
optimizer.lr: 1e-3
optimizer:
  decay: .5
stop: ["a", "b: c"]
sizes: [4, 5]
)",
                                      "a.yaml")),
            "ok");
  EXPECT_EQ(config.path, "corpus.txt");
  EXPECT_EQ(config.format, "jsonl");
  EXPECT_EQ(config.steps, 10000);
  EXPECT_TRUE(config.resume);
  EXPECT_EQ(config.schedule, Schedule::constant);
  EXPECT_DOUBLE_EQ(config.optimizer.lr, 1e-3);
  EXPECT_FLOAT_EQ(config.optimizer.decay, 0.5f);
  EXPECT_THAT(config.stop, ElementsAre("a", "b: c"));
  EXPECT_THAT(config.sizes, ElementsAre(4, 5));
  EXPECT_EQ(config.batch, 8);
  EXPECT_EQ(fields.find("optimizer.lr")->origin(), "a.yaml:7");
  EXPECT_EQ(fields.find("train.batch")->origin(), "");
}

TEST_F(ConfigTest, UnknownKeysNameTheNearest) {
  const std::string message = error_of(fields.load_yaml("train:\n  step: 3\n", "a.yaml"));
  EXPECT_THAT(message, HasSubstr("a.yaml:2: unknown key 'train.step'"));
  EXPECT_THAT(message, HasSubstr("did you mean 'train.steps'?"));
  EXPECT_THAT(error_of(fields.load_yaml("trian: {steps: 3}", "a")), HasSubstr("unknown key 'trian'"));
  EXPECT_THAT(error_of(fields.set("optimiser.lr=1")), HasSubstr("did you mean 'optimizer.lr'?"));
  EXPECT_THAT(error_of(fields.set("zzz=1")), HasSubstr("--print-config"));
}

TEST_F(ConfigTest, TypeErrorsSayKeyExpectedGotAndPlace) {
  EXPECT_THAT(error_of(fields.load_yaml("\ntrain: {steps: many}", "a.yaml")),
              HasSubstr("a.yaml:2: train.steps must be integer >= 1, got 'many'"));
  EXPECT_THAT(error_of(fields.set("train.steps=0")), HasSubstr("integer >= 1, got '0'"));
  EXPECT_THAT(error_of(fields.set("train.steps=1.5")), HasSubstr("got '1.5'"));
  EXPECT_THAT(error_of(fields.set("train.steps=99999999999999999999")), HasSubstr("train.steps must be"));
  EXPECT_THAT(error_of(fields.set("train.batch=3000000000")), HasSubstr("-2147483648 to 2147483647"));
  EXPECT_THAT(error_of(fields.set("optimizer.lr=2")), HasSubstr("number in [0, 1], got '2'"));
  EXPECT_THAT(error_of(fields.set("optimizer.decay=nan")), HasSubstr("number, got 'nan'"));
  EXPECT_THAT(error_of(fields.set("train.schedule=cosin")), HasSubstr("did you mean 'cosine'?"));
  EXPECT_THAT(error_of(fields.set("data.format=json")), HasSubstr("did you mean 'jsonl'?"));
  EXPECT_THAT(error_of(fields.set("train.resume=maybe")), HasSubstr("true or false"));
  EXPECT_THAT(error_of(fields.load_yaml("train.steps: [1]", "a")), HasSubstr("got a list of 1"));
  EXPECT_THAT(error_of(fields.load_yaml("train.steps:", "a")), HasSubstr("got nothing"));
  EXPECT_THAT(error_of(fields.load_yaml("stop: {a: 1}", "a")), HasSubstr("got a map"));
  EXPECT_THAT(error_of(fields.load_yaml("sizes: [1, x]", "a")), HasSubstr("'x'"));
  EXPECT_EQ(config.steps, 100);
  EXPECT_THAT(config.sizes, ElementsAre(1, 2));
}

TEST_F(ConfigTest, RefusesBadYaml) {
  EXPECT_THAT(error_of(fields.load_yaml("a: [1", "a.yaml")), HasSubstr("a.yaml:"));
  EXPECT_THAT(error_of(fields.load_yaml("- 1", "a")), HasSubstr("expected a map"));
  EXPECT_THAT(error_of(fields.load_yaml("train: 3", "a")), HasSubstr("train is a section"));
  EXPECT_THAT(error_of(fields.load_yaml("train.steps: 3\ntrain: {steps: 4}", "a")), HasSubstr("set twice"));
  EXPECT_THAT(error_of(fields.load_yaml("[a]: 3", "a")), HasSubstr("keys must be words"));
  EXPECT_THAT(error_of(fields.load_yaml(std::string(100000, '['), "a")), HasSubstr("a"));
  EXPECT_EQ(error_of(fields.load_yaml("", "a")), "ok");
  EXPECT_EQ(error_of(fields.load_yaml("# nothing\ntrain:\n", "a")), "ok");
}

TEST_F(ConfigTest, SettingsTakeTextAsItStands) {
  ASSERT_TRUE(fields.set("data.path=a: b #1 = 2").ok());
  EXPECT_EQ(config.path, "a: b #1 = 2");
  ASSERT_TRUE(fields.set("stop=x, y").ok());
  EXPECT_THAT(config.stop, ElementsAre("x", "y"));
  ASSERT_TRUE(fields.set("stop=[\"x, y\", z]").ok());
  EXPECT_THAT(config.stop, ElementsAre("x, y", "z"));
  ASSERT_TRUE(fields.set("stop=").ok());
  EXPECT_TRUE(config.stop.empty());
  ASSERT_TRUE(fields.set("sizes=7").ok());
  EXPECT_THAT(config.sizes, ElementsAre(7));
  EXPECT_THAT(error_of(fields.set("train.steps")), HasSubstr("expected key=value"));
  EXPECT_THAT(error_of(fields.set("stop=[a")), HasSubstr("not valid YAML"));
}

TEST_F(ConfigTest, PrintedConfigLoadsToTheSame) {
  config.path = "odd: \"name\"\n#1";
  config.format = "jsonl";
  config.steps = 123;
  config.optimizer.lr = 1e-5;
  config.stop = {"no", "1", "", "a b", "\xff"};
  const std::string yaml = fields.to_yaml();
  Config other;
  Fields others = fields_of(other);
  ASSERT_EQ(error_of(others.load_yaml(yaml, "printed")), "ok") << yaml;
  EXPECT_EQ(other.path, config.path);
  EXPECT_EQ(other.optimizer.lr, config.optimizer.lr);
  EXPECT_EQ(other.optimizer.decay, config.optimizer.decay);
  EXPECT_THAT(other.stop, ElementsAre("no", "1", "", "a b", "\xef\xbf\xbd"));
  EXPECT_EQ(others.to_yaml(), yaml);
  EXPECT_EQ(others.to_json()["train"]["steps"], 123);
  EXPECT_EQ(others.to_json()["optimizer"]["decay"].dump(), "0.1");
  EXPECT_EQ(others.to_json()["train"]["schedule"], "cosine");
}

TEST_F(ConfigTest, JsonValuesKeepTheirTypes) {
  const auto load = [&](const char* text) {
    return fields.load_json(nlohmann::ordered_json::parse(text), "request");
  };
  const auto unknown = load(
      R"({"train.steps": 5, "train.resume": true, "x": 1, "optimizer.lr": 1e-3, "stop": "end", "sizes": [3, 4],
          "train.schedule": "constant", "train.batch": null, "y": {}})");
  ASSERT_TRUE(unknown.ok()) << unknown.error().to_string();
  EXPECT_THAT(*unknown, ElementsAre("x", "y"));
  EXPECT_EQ(config.steps, 5);
  EXPECT_TRUE(config.resume);
  EXPECT_EQ(config.optimizer.lr, 1e-3);
  EXPECT_THAT(config.stop, ElementsAre("end"));
  EXPECT_THAT(config.sizes, ElementsAre(3, 4));
  EXPECT_EQ(config.schedule, Schedule::constant);
  EXPECT_EQ(config.batch, 8);
  const auto message = [&](const char* text) { return load(text).error().message; };
  EXPECT_EQ(message(R"({"train.steps": "5"})"), "request: train.steps must be integer >= 1, got \"5\"");
  EXPECT_THAT(message(R"({"train.steps": 1.5})"), HasSubstr("integer >= 1"));
  EXPECT_THAT(message(R"({"train.steps": true})"), HasSubstr("got true"));
  EXPECT_THAT(message(R"({"train.steps": 1e300})"), HasSubstr("integer >= 1"));
  EXPECT_THAT(message(R"({"optimizer.lr": 2})"), HasSubstr("number in [0, 1]"));
  EXPECT_THAT(message(R"({"train.resume": "true"})"), HasSubstr("true or false"));
  EXPECT_THAT(message(R"({"stop": ["a", 1]})"), HasSubstr("list of text"));
  EXPECT_THAT(message(R"({"train.schedule": "linear"})"), HasSubstr("constant | cosine"));
  EXPECT_THAT(message("[]"), HasSubstr("expected an object"));
}

TEST_F(ConfigTest, RequiredFieldsAreNamed) {
  EXPECT_THAT(error_of(fields.check_required()), HasSubstr("data.path is not set (corpus)"));
  config.path = "x";
  EXPECT_TRUE(fields.check_required().ok());
}

TEST_F(ConfigTest, HelpNamesDefaultAndChoices) {
  EXPECT_THAT(fields.help(), HasSubstr("train.schedule"));
  EXPECT_THAT(fields.help(), HasSubstr("constant | cosine; default cosine"));
}

TEST_F(ConfigTest, LoadsFiles) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "c.yaml", "train.steps: 9").ok());
  ASSERT_EQ(error_of(fields.load_file(dir / "c.yaml")), "ok");
  EXPECT_EQ(config.steps, 9);
  EXPECT_THAT(error_of(fields.load_file(dir / "d.yaml")), HasSubstr("No such file"));
}

TEST_F(ConfigTest, ListingAKeyTwiceIsADefect) {
  EXPECT_THROW(fields.add("sizes", config.sizes, ""), InternalError);
}

}  // namespace
}  // namespace quern
