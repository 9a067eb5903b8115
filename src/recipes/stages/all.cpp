#include <fmt/format.h>

#include "base/nearest.h"
#include "recipes/stage.h"

namespace quern::recipes {

StageKind synth_stage();
StageKind tokenizer_stage();
StageKind pretrain_stage();
StageKind lessons_stage();
StageKind examples_stage();
StageKind tune_stage();
StageKind questions_stage();
StageKind compare_stage();
StageKind samples_stage();

std::span<const StageKind> stage_kinds() {
  static const StageKind kinds[] = {
      synth_stage(), tokenizer_stage(), pretrain_stage(), lessons_stage(), examples_stage(),
      tune_stage(),  questions_stage(), compare_stage(),  samples_stage(),
  };
  return kinds;
}

Result<const StageKind*> find_stage_kind(std::string_view name) {
  std::vector<std::string> known;
  for (const StageKind& kind : stage_kinds()) {
    if (kind.name == name) return &kind;
    known.emplace_back(kind.name);
  }
  std::string hint = suggestion(name, known);
  if (hint.empty()) hint = fmt::format("kinds: {}", fmt::join(known, ", "));
  return make_error(ErrorCode::invalid_argument, fmt::format("no stage kind '{}'", name), hint);
}

}  // namespace quern::recipes
