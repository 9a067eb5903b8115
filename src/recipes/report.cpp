#include "recipes/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/threads.h"
#include "base/version.h"

namespace quern::assets {
extern const std::string_view report_html;
extern const std::string_view report_css;
extern const std::string_view report_js;
extern const std::string_view chart_js;
}  // namespace quern::assets

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

// JSON that cannot end the script element it stands in, whatever a model wrote.
std::string script_safe(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

std::string fill(std::string page, std::string_view mark, std::string_view content) {
  const std::string wanted = fmt::format("{{{{{}}}}}", mark);
  const size_t at = page.find(wanted);
  return at == std::string::npos ? page : page.replace(at, wanted.size(), content);
}

}  // namespace

Result<fs::path> write_report(const Recipe& recipe, const std::vector<FinishedStage>& stages) {
  Json data = {{"recipe", recipe.name},
               {"version", version()},
               {"commit", commit()},
               {"written", iso_time()},
               {"machine", fmt::format("{}, {} threads", machine_info().cpu, num_threads())},
               {"stages", Json::array()}};
  for (const FinishedStage& stage : stages) {
    Json record = stage.record;
    record["metrics"] = read_rows(stage.folder / "metrics.jsonl");
    record["answers"] = read_rows(stage.folder / "answers.jsonl");
    data["stages"].push_back(std::move(record));
  }
  // The data goes in last: nothing that it holds is taken for a mark.
  std::string page(assets::report_html);
  page = fill(std::move(page), "style", assets::report_css);
  page = fill(std::move(page), "charts", assets::chart_js);
  page = fill(std::move(page), "script", assets::report_js);
  page = fill(std::move(page), "data", script_safe(data));
  const fs::path path = recipe.out / "report.html";
  QUERN_CHECK(write_file_atomic(path, page));
  return path;
}

}  // namespace quern::recipes
