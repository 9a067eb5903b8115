#include "plan/measured_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "model/load.h"
#include "plan/parameters.h"

namespace quern::plan {

namespace {

namespace fs = std::filesystem;

Result<NamedRun> read_row(std::string_view line, const std::string& where) {
  QUERN_TRY(const nlohmann::json row, parse_json(line, where));
  QUERN_TRY(const double parameters, json_get<double>(row, "parameters", where));
  QUERN_TRY(const double tokens, json_get<double>(row, "tokens", where));
  QUERN_TRY(const double loss, json_get<double>(row, "loss", where));
  if (!(parameters > 0 && tokens > 0 && loss > 0)) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: expected positive parameters, tokens and loss, got {}, {}, {}", where,
                                  parameters, tokens, loss));
  }
  return NamedRun{where, {parameters, tokens, loss}};
}

Result<std::vector<NamedRun>> read_rows(const fs::path& file) {
  QUERN_TRY(const std::string text, read_file(file));
  std::vector<NamedRun> runs;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    QUERN_TRY(NamedRun run, read_row(line, fmt::format("{}:{}", file.string(), number)));
    runs.push_back(std::move(run));
  }
  return runs;
}

Result<NamedRun> read_run_folder(const fs::path& folder) {
  const std::string where = (folder / "run.json").string();
  QUERN_TRY(const nlohmann::json record, read_json_file(where));
  QUERN_TRY(const model::ModelConfig config, model::load_config(folder / "model"));
  QUERN_TRY(const model::Decoder model, model::Decoder::create(config));
  const bool held_out = record.contains("/result/validation_loss"_json_pointer);
  QUERN_TRY(const double tokens, json_get<double>(record, "result.tokens", where));
  QUERN_TRY(const double loss,
            json_get<double>(record, held_out ? "result.validation_loss" : "result.train_loss", where));
  const auto parameters = static_cast<double>(count_parameters(model).total());
  return NamedRun{folder.string(), {parameters, tokens, loss}};
}

bool has(const fs::path& folder, const char* file) {
  std::error_code status;
  return fs::exists(folder / file, status);
}

}  // namespace

Result<std::vector<NamedRun>> read_runs(const fs::path& path) {
  std::error_code status;
  if (!fs::is_directory(path, status)) return read_rows(path);
  std::vector<fs::path> folders;
  if (has(path, "run.json")) {
    folders.push_back(path);
  } else {
    for (const fs::directory_entry& entry : fs::directory_iterator(path, status)) {
      if (has(entry.path(), "run.json")) folders.push_back(entry.path());
    }
    std::ranges::sort(folders);
  }
  if (folders.empty()) {
    return make_error(
        has(path, "metrics.jsonl") ? ErrorCode::invalid_argument : ErrorCode::not_found,
        fmt::format("{}: expected a finished run (run.json), or folders of such, got {}", path.string(),
                    has(path, "metrics.jsonl") ? "a run that did not finish" : "neither"),
        "'quern train CONFIG --resume' finishes a run");
  }
  std::vector<NamedRun> runs;
  for (const fs::path& folder : folders) {
    QUERN_TRY(NamedRun run, read_run_folder(folder));
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace quern::plan
