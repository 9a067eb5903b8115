// What tests of recipes share: a folder with a small corpus, and a recipe that takes well under a second.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "recipes/make.h"
#include "recipes/recipe.h"
#include "support/temp_dir.h"

namespace quern::recipes {

inline void write(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string tiny_corpus(int lines = 200) {
  std::string text;
  for (int i = 0; i < lines; ++i)
    text += "line " + std::to_string(i * i) + " says the same as the one before it\n";
  return text;
}

constexpr std::string_view kTinyRecipe = R"(name: tiny
out: OUT
data:
  path: INPUT
seed: 1
stages:
  - name: tokenizer
    kind: tokenizer
    input: ${data.path}
    vocab_size: 300
  - name: model
    kind: pretrain
    tokenizer: ${tokenizer}
    data: {inputs: "${data.path}", validation: 0.2, split: tail}
    model: {family: gpt2, layers: 1, heads: 2, hidden: 16, max_positions: 16}
    train:
      steps: 4
      batch: 2
      sequence: 16
      log_every: 1
      eval_every: 2
      sample_every: 2
      save_every: 1
      seed: ${seed}
    sample: {prompt: "line", max_tokens: 5}
  - name: samples
    kind: samples
    model: ${model}/model
    prompts: ["line", "says"]
    max_tokens: 5
)";

// FOLDER/recipe.yaml on FOLDER/input.txt with results in FOLDER/out.
class TinyRecipe {
 public:
  TinyRecipe() { write(folder_ / "input.txt", tiny_corpus()); }

  Recipe load(std::vector<std::string> settings = {}, std::string text = std::string(kTinyRecipe)) const {
    write(folder_ / "recipe.yaml", text);
    settings.insert(settings.begin(),
                    {"out=" + out().string(), "data.path=" + (folder_ / "input.txt").string()});
    return load_recipe(folder_ / "recipe.yaml", settings).value();
  }
  std::filesystem::path folder() const { return folder_.path(); }
  std::filesystem::path out() const { return folder_ / "out"; }

 private:
  test::TempDir folder_;
};

}  // namespace quern::recipes
