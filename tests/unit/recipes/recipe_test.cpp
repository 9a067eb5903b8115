#include "recipes/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/recipes/tiny_recipe.h"

namespace quern::recipes {
namespace {

using testing::HasSubstr;

class RecipeTest : public testing::Test {
 protected:
  Result<Recipe> load(std::string_view text, const std::vector<std::string>& settings = {}) {
    write(folder_ / "tea.yaml", text);
    return load_recipe(folder_ / "tea.yaml", settings);
  }
  Error error_of(std::string_view text, const std::vector<std::string>& settings = {}) {
    const Result<Recipe> recipe = load(text, settings);
    return recipe.ok() ? make_error(ErrorCode::internal, "no error") : recipe.error();
  }
  test::TempDir folder_;
};

constexpr std::string_view kTwoStages = R"(
name: tea
data: {path: leaves.txt, deep: {er: 3}}
stages:
  - {name: corpus, kind: synth, documents: 5}
  - {name: tokenizer, kind: tokenizer, input: "${corpus}/train.jsonl"}
)";

TEST_F(RecipeTest, ReadsStagesAndValues) {
  const Recipe recipe = load(kTwoStages).value();
  EXPECT_EQ(recipe.name, "tea");
  EXPECT_EQ(recipe.out, "runs/tea");
  ASSERT_EQ(recipe.stages.size(), 2u);
  EXPECT_EQ(recipe.stages[0].name, "corpus");
  EXPECT_EQ(recipe.stages[0].kind, "synth");
  EXPECT_EQ(recipe.values.at("data.path"), "leaves.txt");
  EXPECT_EQ(recipe.values.at("data.deep.er"), "3");
}

TEST_F(RecipeTest, NameAndOutHaveDefaultsThatCanBeSet) {
  constexpr std::string_view bare = "stages: [{name: a, kind: synth}]";
  EXPECT_EQ(load(bare)->name, "tea");  // of the file
  EXPECT_EQ(load(bare)->out, "runs/tea");
  EXPECT_EQ(load(bare, {"name=cup"})->out, "runs/cup");
  EXPECT_EQ(load(bare, {"out=elsewhere"})->out, "elsewhere");
  EXPECT_EQ(load(bare, {"out=elsewhere"})->values.at("out"), "elsewhere");
}

TEST_F(RecipeTest, SettingsReachScalarsAndStages) {
  const Recipe recipe =
      load(kTwoStages, {"data.path=a=b", "corpus.documents=9", "tokenizer.vocab_size=400"}).value();
  EXPECT_EQ(recipe.values.at("data.path"), "a=b");
  EXPECT_THAT(recipe.stages[0].overrides, testing::ElementsAre("documents=9"));
  EXPECT_THAT(recipe.stages[1].overrides, testing::ElementsAre("vocab_size=400"));
}

TEST_F(RecipeTest, UnknownSettingsNameTheNearest) {
  const Error near = error_of(kTwoStages, {"data.pth=x"});
  EXPECT_EQ(near.code, ErrorCode::invalid_argument);
  EXPECT_THAT(near.message, HasSubstr("'data.pth'"));
  EXPECT_THAT(near.hint, HasSubstr("data.path"));
  EXPECT_THAT(error_of(kTwoStages, {"zzzzzzzzzz=x"}).hint, HasSubstr("tokenizer."));
  // A stage alone is no setting.
  EXPECT_EQ(error_of(kTwoStages, {"corpus=x"}).code, ErrorCode::invalid_argument);
  for (const char* malformed : {"data.path", "=x", ""}) {
    EXPECT_THAT(error_of(kTwoStages, {malformed}).message, HasSubstr("expected key=value")) << malformed;
  }
}

TEST_F(RecipeTest, WhatIsNoRecipeIsRefused) {
  for (const char* text :
       {"", "just text", "[1, 2]", "stages: 3", "stages: []", "stages: [3]", "stages: [{name: a}]",
        "stages: [{kind: synth}]", "stages: [{name: a/b, kind: synth}]", "stages: [{name: '', kind: synth}]",
        "stages: [{name: [], kind: synth}]", "data: [1]\nstages: [{name: a, kind: synth}]", "a: {b",
        "{[}: 1"}) {
    const Error error = error_of(text);
    EXPECT_EQ(error.code, ErrorCode::invalid_argument) << text << ": " << error.message;
    EXPECT_THAT(error.message, HasSubstr("tea.yaml")) << text;
  }
  EXPECT_EQ(load_recipe(folder_ / "absent.yaml", {}).error().code, ErrorCode::not_found);
}

TEST_F(RecipeTest, TwoStagesOfOneNameAreRefused) {
  EXPECT_THAT(error_of("stages: [{name: a, kind: synth}, {name: a, kind: synth}]").message,
              HasSubstr("two stages are named 'a'"));
}

TEST_F(RecipeTest, DeepNestingIsRefused) {
  std::string text = "stages: [{name: a, kind: synth}]\ndata: ";
  for (int i = 0; i < 20; ++i) text += "{a: ";
  text += "1" + std::string(20, '}');
  EXPECT_THAT(error_of(text).message, HasSubstr("deeper"));
  EXPECT_EQ(error_of("a: " + std::string(100000, '[')).code, ErrorCode::invalid_argument);
}

TEST(Substitute, ReplacesReferencesWhereverTheyStand) {
  const YAML::Node settings =
      YAML::Load("{a: 'x ${one} y ${two}', b: ['${one}', plain], c: {d: '${two}$'}, e: ~}");
  const auto resolve = [](std::string_view name) -> Result<std::string> {
    if (name == "one") return std::string("1 ${two}");  // what a reference stands for is not looked at again
    if (name == "two") return std::string("2");
    return make_error(ErrorCode::invalid_argument, "no " + std::string(name));
  };
  const YAML::Node out = substitute(settings, resolve).value();
  EXPECT_EQ(out["a"].Scalar(), "x 1 ${two} y 2");
  EXPECT_EQ(out["b"][0].Scalar(), "1 ${two}");
  EXPECT_EQ(out["b"][1].Scalar(), "plain");
  EXPECT_EQ(out["c"]["d"].Scalar(), "2$");
  EXPECT_TRUE(out["e"].IsNull());
  EXPECT_EQ(settings["a"].Scalar(), "x ${one} y ${two}");  // the recipe can be run again
  EXPECT_EQ(substitute(YAML::Load("{a: '${three}'}"), resolve).error().message, "no three");
  EXPECT_THAT(substitute(YAML::Load("{a: 'x${one'}"), resolve).error().message, HasSubstr("without its }"));
}

}  // namespace
}  // namespace quern::recipes
