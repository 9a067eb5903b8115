#include "recipes/report.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/file.h"
#include "report/page.h"
#include "report/scripts.h"

namespace quern::recipes {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

// The rows of a JSONL file beside a stage; none when it is missing.
Json read_rows(const fs::path& path) {
  Json rows = Json::array();
  const Result<std::string> text = read_file(path);
  if (!text.ok()) return rows;
  for (size_t begin = 0, end = 0; (end = text->find('\n', begin)) != std::string::npos; begin = end + 1) {
    Json row = Json::parse(text->begin() + static_cast<std::ptrdiff_t>(begin),
                           text->begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (row.is_object()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Result<fs::path> write_report(const Recipe& recipe, const std::vector<FinishedStage>& stages) {
  Json data = {{"recipe", recipe.name}, {"stages", Json::array()}};
  for (const FinishedStage& stage : stages) {
    Json record = stage.record;
    record["metrics"] = read_rows(stage.folder / "metrics.jsonl");
    record["answers"] = read_rows(stage.folder / "answers.jsonl");
    data["stages"].push_back(std::move(record));
  }
  const fs::path path = recipe.out / "report.html";
  QUERN_CHECK(report::write_page(path, assets::report_recipe_js, std::move(data)));
  return path;
}

}  // namespace quern::recipes
