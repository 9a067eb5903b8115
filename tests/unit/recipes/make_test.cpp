#include "recipes/make.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/file.h"
#include "unit/recipes/tiny_recipe.h"

namespace quern::recipes {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::map<std::string, std::string> keys(const std::vector<FinishedStage>& stages) {
  std::map<std::string, std::string> keys;
  for (const FinishedStage& stage : stages) keys[stage.name] = stage.key;
  return keys;
}

std::vector<std::string> made(const std::vector<FinishedStage>& stages) {
  std::vector<std::string> names;
  for (const FinishedStage& stage : stages) {
    if (!stage.reused) names.push_back(stage.name);
  }
  return names;
}

// A recipe whose only stage is quick: a tokenizer.
constexpr std::string_view kTokenizerOnly = R"(
data: {path: INPUT}
stages:
  - name: tokenizer
    kind: tokenizer
    input: ${data.path}
    vocab_size: 260
)";

class MakeTest : public testing::Test {
 protected:
  Result<std::vector<FinishedStage>> run(const std::vector<std::string>& settings = {}) {
    return make(tiny_.load(settings), {});
  }
  Error error_of(std::string text, const std::vector<std::string>& settings = {}) {
    const auto result = make(tiny_.load(settings, std::move(text)), {});
    return result.ok() ? make_error(ErrorCode::internal, "no error") : result.error();
  }
  TinyRecipe tiny_;
};

TEST_F(MakeTest, FinishedStagesAreReusedUntilSomethingTheyDependOnChanges) {
  const auto first = run().value();
  EXPECT_THAT(made(first), testing::ElementsAre("tokenizer", "model", "samples"));
  for (const FinishedStage& stage : first) {
    EXPECT_TRUE(fs::exists(stage.folder / "stage.json"));
    EXPECT_TRUE(fs::equivalent(tiny_.out() / stage.name, stage.folder));
  }
  EXPECT_TRUE(fs::exists(tiny_.out() / "model/model/model.safetensors"));
  EXPECT_TRUE(fs::exists(tiny_.out() / "model/model/tokenizer.json"));

  const auto again = run().value();
  EXPECT_TRUE(made(again).empty());
  EXPECT_EQ(keys(again), keys(first));
  EXPECT_EQ(again[1].record["figures"], first[1].record["figures"]);
  EXPECT_EQ(again[1].seconds, first[1].seconds);

  // The last stage only; a scalar of the recipe that only the model looks at; and back to where it began.
  EXPECT_THAT(made(run({"samples.max_tokens=4"}).value()), testing::ElementsAre("samples"));
  const auto other = run({"seed=2"}).value();
  EXPECT_THAT(made(other), testing::ElementsAre("model", "samples"));
  EXPECT_TRUE(fs::equivalent(tiny_.out() / "model", other[1].folder));
  EXPECT_TRUE(made(run().value()).empty());
  EXPECT_TRUE(fs::equivalent(tiny_.out() / "model", first[1].folder));
}

TEST_F(MakeTest, TheContentOfAnInputDecidesNotItsPlace) {
  const auto recipe = [&](const std::vector<std::string>& settings) {
    return tiny_.load(settings, std::string(kTokenizerOnly));
  };
  const auto first = make(recipe({}), {}).value();
  write(tiny_.folder() / "input.txt", tiny_corpus() + "one more line\n");
  const auto changed = make(recipe({}), {}).value();
  EXPECT_THAT(made(changed), testing::ElementsAre("tokenizer"));
  write(tiny_.folder() / "input.txt", tiny_corpus());
  EXPECT_TRUE(made(make(recipe({}), {}).value()).empty());
  // The same bytes under another name, short or long, quoted or not.
  for (const char* name : {"a.txt", "0.txt", "with \"quotes\" and {braces}.txt", "moved/far/away.txt"}) {
    const fs::path copy = tiny_.folder() / name;
    write(copy, tiny_corpus());
    EXPECT_EQ(keys(make(recipe({"data.path=" + copy.string()}), {}).value()), keys(first)) << name;
  }
  // Another ending is another way to read the bytes.
  write(tiny_.folder() / "rows.jsonl", "{\"text\": \"hello hello\"}\n");
  write(tiny_.folder() / "rows.txt", "{\"text\": \"hello hello\"}\n");
  EXPECT_NE(keys(make(recipe({"data.path=" + (tiny_.folder() / "rows.jsonl").string()}), {}).value()),
            keys(make(recipe({"data.path=" + (tiny_.folder() / "rows.txt").string()}), {}).value()));
}

// A path of one letter occurs in every word: it must not be mistaken for the setting's other text.
TEST_F(MakeTest, ShortPathsAreInputsLikeAnyOther) {
  const fs::path before = fs::current_path();
  fs::current_path(tiny_.folder());
  write("./a", tiny_corpus());
  write("./b", tiny_corpus());
  const auto a = make(tiny_.load({"data.path=a"}, std::string(kTokenizerOnly)), {});
  const auto b = make(tiny_.load({"data.path=b"}, std::string(kTokenizerOnly)), {});
  fs::current_path(before);
  ASSERT_TRUE(a.ok()) << a.error().message;
  EXPECT_EQ(keys(*a), keys(*b));
}

TEST_F(MakeTest, FoldersAreKnownByTheirFiles) {
  const fs::path folder = tiny_.folder() / "corpus";
  write(folder / "one.txt", tiny_corpus(50));
  write(folder / "sub/two.txt", tiny_corpus(60));
  const Recipe recipe = tiny_.load({"data.path=" + folder.string()}, std::string(kTokenizerOnly));
  const auto first = keys(make(recipe, {}).value());
  fs::rename(folder / "sub/two.txt", folder / "sub/three.txt");
  EXPECT_NE(keys(make(recipe, {}).value()), first);
  fs::rename(folder / "sub/three.txt", folder / "sub/two.txt");
  EXPECT_EQ(keys(make(recipe, {}).value()), first);
}

TEST_F(MakeTest, KeysDoNotDependOnWhereResultsLie) {
  const auto here = keys(run().value());
  const auto there = keys(run({"out=" + (tiny_.folder() / "another/place").string()}).value());
  EXPECT_EQ(here, there);
}

TEST_F(MakeTest, AStageThatWasCutOffGoesOn) {
  const auto bytes = [](const fs::path& path) { return read_file(path).value(); };
  const auto whole = run().value();
  const std::string expected = bytes(whole[1].folder / "model/model.safetensors");

  const Recipe recipe = tiny_.load({"out=" + (tiny_.folder() / "cut").string()});
  int asked = 0;
  MakeHow how;
  how.should_stop = [&] { return ++asked > 4; };  // before each of two stages, after three steps
  const auto stopped = make(recipe, how);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
  EXPECT_THAT(stopped.error().message, HasSubstr("stage model"));
  EXPECT_THAT(stopped.error().message, HasSubstr("of 4"));
  EXPECT_EQ(stopped.error().hint.find("--resume"), std::string::npos);  // quern make has no such option
  EXPECT_FALSE(fs::exists(recipe.out / "model/stage.json"));

  const auto resumed = make(recipe, {}).value();
  EXPECT_THAT(made(resumed), testing::ElementsAre("model", "samples"));
  EXPECT_EQ(bytes(resumed[1].folder / "model/model.safetensors"), expected);
  // It went on from step 3 rather than starting over: every step is in its metrics once.
  std::ifstream metrics(resumed[1].folder / "metrics.jsonl");
  int rows = 0;
  for (std::string line; std::getline(metrics, line);)
    rows += line.find("\"train\"") != std::string::npos ? 1 : 0;
  EXPECT_EQ(rows, 4);
}

TEST_F(MakeTest, StoppingBetweenStagesIsSeen) {
  int asked = 0;
  MakeHow how;
  how.should_stop = [&] { return ++asked > 1; };
  const auto stopped = make(tiny_.load(), how);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
  EXPECT_TRUE(fs::exists(tiny_.out() / "tokenizer/stage.json"));
  EXPECT_FALSE(fs::exists(tiny_.out() / "model"));
}

// Mistakes in any stage are found before the first one runs.
TEST_F(MakeTest, EveryStageIsCheckedFirst) {
  const auto replaced = [](const std::string& what, const std::string& with) {
    std::string text(kTinyRecipe);
    return text.replace(text.find(what), what.size(), with);
  };
  const Error kind = error_of(replaced("kind: samples", "kind: sampels"));
  EXPECT_THAT(kind.message, HasSubstr("'sampels'"));
  EXPECT_THAT(kind.hint, HasSubstr("samples"));
  const Error key = error_of(replaced("max_tokens: 5\n", "max_token: 5\n"));
  EXPECT_THAT(key.message, HasSubstr("recipe.yaml:30: unknown key 'max_token'"));  // the line of the file
  EXPECT_THAT(key.hint, HasSubstr("max_tokens"));
  const Error reference = error_of(replaced("${model}/model", "${modle}/model"));
  EXPECT_THAT(reference.message, HasSubstr("${modle} is neither an earlier stage nor a setting"));
  EXPECT_THAT(reference.hint, HasSubstr("data.path"));
  EXPECT_THAT(reference.hint, HasSubstr("model"));
  EXPECT_THAT(error_of(replaced("tokenizer: ${tokenizer}", "tokenizer: ${samples}")).message,
              HasSubstr("${samples} is neither"));  // a later stage is not there yet
  EXPECT_THAT(error_of(replaced("family: gpt2", "family: gpt7")).message, HasSubstr("gpt7"));
  EXPECT_THAT(error_of(std::string(kTinyRecipe), {"model.train.step=3"}).hint, HasSubstr("train.steps"));
  EXPECT_THAT(error_of(replaced("    model: ${model}/model\n", "")).message, HasSubstr("model is not set"));
  EXPECT_THAT(error_of(replaced("vocab_size: 300", "vocab_size: 300\n    vocab_size: 301")).message,
              HasSubstr("set twice"));
  EXPECT_FALSE(fs::exists(tiny_.out() / "tokenizer"));  // nothing ran
}

TEST_F(MakeTest, ErrorsOfStagesNameTheStage) {
  const Error missing = error_of(std::string(kTinyRecipe), {"data.path=absent.txt"});
  EXPECT_EQ(missing.code, ErrorCode::not_found);
  EXPECT_THAT(missing.message, HasSubstr("stage tokenizer"));
  EXPECT_THAT(missing.message, HasSubstr("absent.txt"));
  write(tiny_.folder() / "empty.txt", "\n \n");
  const Error empty =
      error_of(std::string(kTinyRecipe), {"data.path=" + (tiny_.folder() / "empty.txt").string()});
  EXPECT_EQ(empty.code, ErrorCode::invalid_argument);
  EXPECT_THAT(empty.message, HasSubstr("is empty"));
}

TEST_F(MakeTest, SomethingElseInTheWayIsNotReplaced) {
  write(tiny_.out() / "tokenizer/precious.txt", "mine");
  const auto result = run();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::conflict);
  EXPECT_EQ(read_file(tiny_.out() / "tokenizer/precious.txt").value(), "mine");
}

TEST_F(MakeTest, ADamagedRecordIsMadeAgain) {
  const Recipe recipe = tiny_.load({}, std::string(kTokenizerOnly));
  const auto first = make(recipe, {}).value();
  for (const char* damaged : {"", "{\"key\": ", "[]", "{\"key\": \"another\"}", "{\"key\": 3}"}) {
    write(first[0].folder / "stage.json", damaged);
    const auto again = make(recipe, {});
    ASSERT_TRUE(again.ok()) << damaged;
    EXPECT_FALSE((*again)[0].reused) << damaged;
  }
}

}  // namespace
}  // namespace quern::recipes
