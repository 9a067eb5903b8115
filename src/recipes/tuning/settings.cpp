#include "recipes/tuning/settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace quern::recipes {

void add_task(Fields& f, TrainTask& task, bool pretrain) {
  std::vector<std::pair<std::string, TrainTask>> choices;
  std::string help;
  const auto choice = [&](std::string_view name, TrainTask value, std::string_view summary) {
    choices.emplace_back(name, value);
    help += fmt::format("{}{}: {}", help.empty() ? "" : "; ", name, summary);
  };
  if (pretrain) {
    choice("pretrain", TrainTask::pretrain, "learn text");
    choice("mlm", TrainTask::mlm, "learn words that are hidden in text, by an encoder");
    choice("denoise", TrainTask::denoise, "write texts again that were corrupted, by an encoder-decoder");
  }
  for (const TuningTask& each : tuning_tasks()) choice(each.name, each.task, each.summary);
  f.add("task", task, help, choices);
}

Result<void> refuse_settings(const Fields& loaded, std::string_view task,
                             const std::vector<std::string_view>& prefixes) {
  for (const Field& field : loaded.all()) {
    const auto is_of = [&](std::string_view prefix) { return field.key().starts_with(prefix); };
    if (field.origin().empty() || std::ranges::none_of(prefixes, is_of)) continue;
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("{} is set at {}, and task {} has no such setting", field.key(), field.origin(), task),
        "drop it, or choose another task");
  }
  return {};
}

Result<void> refuse_settings_of_others(const Fields& loaded, TrainTask task) {
  const bool tunes = !learns_text(task), masks = task == TrainTask::mlm,
             denoises = task == TrainTask::denoise;
  const std::string_view name = tunes      ? task_of(task).name
                                : masks    ? "mlm"
                                : denoises ? "denoise"
                                           : "pretrain";
  if (!masks) QUERN_CHECK(refuse_settings(loaded, name, {"mlm."}));
  if (!denoises) QUERN_CHECK(refuse_settings(loaded, name, {"denoise."}));
  if (masks || denoises) {
    QUERN_CHECK(refuse_settings(
        loaded, name,
        {"sample.", "data.assistant_only", "train.sampling", "train.sample_every", "train.eval_batches"}));
  }
  if (!tunes) QUERN_CHECK(refuse_settings(loaded, name, {"examples", "epochs", "packed", "adapter."}));
  if (tunes && !task_of(task).has_prompts())
    QUERN_CHECK(refuse_settings(loaded, name, {"train.sample_every"}));
  for (const TuningTask& each : tuning_tasks()) {
    for (const std::string_view section : each.sections) {
      const bool own =
          tunes && std::ranges::find(task_of(task).sections, section) != task_of(task).sections.end();
      if (!own) QUERN_CHECK(refuse_settings(loaded, name, {section}));
    }
  }
  return {};
}

}  // namespace quern::recipes
