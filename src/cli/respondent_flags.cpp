#include "cli/respondent_flags.h"

#include "store/store.h"

namespace quern::cli {

void add_respondent_flags(CommandLine& line) {
  line.config_flag("--model", "model");
  line.config_flag("--endpoint", "endpoint.url");
}

void add_resume_flags(CommandLine& line, bool& resume, bool& overwrite) {
  CLI::Option* option = line.app().add_flag("--resume", resume, "go on where a run was interrupted");
  line.app().add_flag("--overwrite", overwrite, "start afresh where there are results")->excludes(option);
}

Result<void> find_respondent(recipes::RespondentConfig& config) {
  if (config.is_remote() || config.model.empty()) return {};
  QUERN_TRY(const std::filesystem::path model, store::Store().resolve(config.model));
  config.model = model.string();
  return {};
}

}  // namespace quern::cli
