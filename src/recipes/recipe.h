// A recipe: one YAML file that names every stage from raw text to a finished model.
//
//   name: shakespeare
//   out: runs/shakespeare
//   data:
//     path: input.txt                 # any scalar may be referred to as ${data.path} and changed with --set
//   stages:
//     - name: tokenizer               # its results: OUT/tokenizer, elsewhere ${tokenizer}
//       kind: tokenizer
//       input: ${data.path}
//     - name: model
//       kind: pretrain
//       tokenizer: ${tokenizer}
//       train: {steps: 2000}
//
// `name` is that of the file unless given, `out` is runs/NAME. Settings of a stage are those of its kind
// (recipes/stage.h); --set model.train.steps=100 changes one.
#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::recipes {

struct StageSpec {
  std::string name;
  std::string kind;
  YAML::Node settings;                 // with references as written
  std::vector<std::string> overrides;  // "key=value", of this stage
};

struct Recipe {
  std::string name;
  std::filesystem::path file;
  std::filesystem::path out;
  std::vector<StageSpec> stages;
  std::map<std::string, std::string> values;  // scalars outside the stages, by dotted key
};

// Reads and checks a recipe and applies `settings` ("key=value"). invalid_argument names the key, what there
// is, and the nearest one; not_found and io as read_file.
Result<Recipe> load_recipe(const std::filesystem::path& file, const std::vector<std::string>& settings);

// `settings` with every ${name} in its scalars replaced by `resolve(name)`.
Result<YAML::Node> substitute(const YAML::Node& settings,
                              const std::function<Result<std::string>(std::string_view name)>& resolve);

}  // namespace quern::recipes
