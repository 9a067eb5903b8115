#include "recipes/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/nearest.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

constexpr int kMaxDepth = 16;

Error invalid(const fs::path& file, std::string_view what, std::string hint = {}) {
  return make_error(ErrorCode::invalid_argument, fmt::format("{}: {}", file.string(), what), std::move(hint));
}

Result<void> collect_values(const YAML::Node& node, const std::string& key, Recipe& recipe, int depth = 0) {
  if (depth > kMaxDepth)
    return invalid(recipe.file, fmt::format("{} is nested deeper than {} levels", key, kMaxDepth));
  if (node.IsScalar()) {
    recipe.values[key] = node.Scalar();
    return {};
  }
  if (!node.IsMap()) return invalid(recipe.file, fmt::format("{}: expected a value or a map", key));
  for (const auto& item : node) {
    const std::string name = item.first.as<std::string>();
    QUERN_CHECK(collect_values(item.second, key.empty() ? name : key + "." + name, recipe, depth + 1));
  }
  return {};
}

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Result<StageSpec> read_stage(const YAML::Node& node, const Recipe& recipe) {
  if (!node.IsMap() || !node["name"] || !node["kind"]) {
    return invalid(recipe.file, fmt::format("stage {} needs a name and a kind", recipe.stages.size() + 1));
  }
  StageSpec stage;
  stage.name = node["name"].as<std::string>();
  stage.kind = node["kind"].as<std::string>();
  if (!is_name(stage.name)) {
    return invalid(recipe.file,
                   fmt::format("stage name '{}' is not made of letters, digits, - and _", stage.name));
  }
  if (std::ranges::any_of(recipe.stages, [&](const StageSpec& s) { return s.name == stage.name; })) {
    return invalid(recipe.file, fmt::format("two stages are named '{}'", stage.name));
  }
  stage.settings = YAML::Node(YAML::NodeType::Map);
  for (const auto& item : node) {
    const std::string key = item.first.as<std::string>();
    if (key != "name" && key != "kind") stage.settings[item.first] = item.second;  // keeps line numbers
  }
  return stage;
}

Result<Recipe> read_recipe(const fs::path& file, const YAML::Node& root) {
  Recipe recipe;
  recipe.file = file;
  recipe.values["name"] = file.stem().string();
  recipe.values["out"] = "";
  if (!root.IsMap() || !root["stages"] || !root["stages"].IsSequence()) {
    return invalid(file, "not a recipe: expected a map with a list of stages",
                   "recipes/ of the project has examples");
  }
  for (const auto& item : root) {
    const std::string key = item.first.as<std::string>();
    if (key != "stages") QUERN_CHECK(collect_values(item.second, key, recipe));
  }
  for (const YAML::Node& node : root["stages"]) {
    QUERN_TRY(StageSpec stage, read_stage(node, recipe));
    recipe.stages.push_back(std::move(stage));
  }
  if (recipe.stages.empty()) return invalid(file, "the list of stages is empty");
  return recipe;
}

Result<void> apply(Recipe& recipe, const std::string& setting) {
  const size_t equals = setting.find('=');
  const std::string key = setting.substr(0, equals);
  if (equals == std::string::npos || key.empty()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("--set: expected key=value, got '{}'", setting));
  }
  if (const auto value = recipe.values.find(key); value != recipe.values.end()) {
    value->second = setting.substr(equals + 1);
    return {};
  }
  const std::string head = key.substr(0, key.find('.'));
  for (StageSpec& stage : recipe.stages) {
    if (stage.name == head && head != key) {
      stage.overrides.push_back(setting.substr(head.size() + 1));
      return {};
    }
  }
  std::vector<std::string> known;
  for (const auto& [name, value] : recipe.values) known.push_back(name);
  for (const StageSpec& stage : recipe.stages) known.push_back(stage.name + ".");
  std::string hint = suggestion(key, known);
  if (hint.empty()) hint = fmt::format("settings of this recipe: {}", fmt::join(known, ", "));
  return invalid(recipe.file, fmt::format("--set: no setting or stage '{}'", key), hint);
}

}  // namespace

Result<Recipe> load_recipe(const fs::path& file, const std::vector<std::string>& settings) {
  QUERN_TRY(const std::string text, read_file(file, uint64_t{1} << 20));
  try {
    QUERN_TRY(Recipe recipe, read_recipe(file, YAML::Load(text)));
    for (const std::string& setting : settings) QUERN_CHECK(apply(recipe, setting));
    recipe.name = recipe.values["name"];
    if (recipe.values["out"].empty()) recipe.values["out"] = "runs/" + recipe.name;
    recipe.out = recipe.values["out"];
    return recipe;
  } catch (const YAML::Exception& error) {
    return invalid(file, error.what());
  }
}

namespace {

Result<std::string> substitute_text(const std::string& text,
                                    const std::function<Result<std::string>(std::string_view)>& resolve) {
  std::string out;
  size_t at = 0;
  for (size_t open = 0; (open = text.find("${", at)) != std::string::npos;) {
    const size_t close = text.find('}', open);
    if (close == std::string::npos) {
      return make_error(ErrorCode::invalid_argument, fmt::format("'{}': a ${{ without its }}", text));
    }
    QUERN_TRY(const std::string value, resolve(std::string_view(text).substr(open + 2, close - open - 2)));
    out += text.substr(at, open - at) + value;
    at = close + 1;
  }
  return out + text.substr(at);
}

}  // namespace

Result<YAML::Node> substitute(const YAML::Node& settings,
                              const std::function<Result<std::string>(std::string_view)>& resolve) {
  if (settings.IsScalar()) {
    QUERN_TRY(const std::string text, substitute_text(settings.Scalar(), resolve));
    return YAML::Node(text);
  }
  YAML::Node out(settings.Type());
  if (settings.IsMap()) {
    for (const auto& item : settings) {
      QUERN_TRY(const YAML::Node value, substitute(item.second, resolve));
      out[item.first] = value;
    }
  } else if (settings.IsSequence()) {
    for (const YAML::Node& item : settings) {
      QUERN_TRY(const YAML::Node value, substitute(item, resolve));
      out.push_back(value);
    }
  }
  return out;
}

}  // namespace quern::recipes
