// task: distill
#include <fmt/format.h>

#include <algorithm>

#include "align/distillation_criterion.h"
#include "model/load.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

using ops::Divergence;

// Whether a token is the same text to both.
Result<void> check_vocabulary(const text::Tokenizer& student, const text::Tokenizer& teacher,
                              const model::ModelConfig& teacher_config) {
  const char* const hint =
      "choose a teacher of the student's family, or let the student learn its answers as text: "
      "quern data answer";
  const int64_t tokens = student.vocab_size();
  if (teacher_config.vocab_size < tokens) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("the student has {} tokens, and the teacher knows {}", tokens, teacher_config.vocab_size),
        hint);
  }
  for (int64_t i = 0; i < std::min(tokens, teacher.vocab_size()); ++i) {
    const auto id = static_cast<text::TokenId>(i);
    const auto own = student.id_to_token(id), other = teacher.id_to_token(id);
    if (!own || !other || own == other) continue;  // one of them may pad its vocabulary
    return make_error(
        ErrorCode::conflict,
        fmt::format("the teacher has another vocabulary: token {} is '{}' to it, and '{}' to the student", i,
                    *other, *own),
        hint);
  }
  return {};
}

Result<align::Reference> open_teacher(const TuneConfig& config, const TunedModel& student) {
  const std::string& path = config.distill.teacher;
  QUERN_TRY(const infer::Language language, infer::open_language(path));
  QUERN_TRY(const model::ModelConfig sizes, model::load_config(path));
  QUERN_CHECK(check_vocabulary(student.loaded->tokenizer, language.tokenizer, sizes));
  if (const int64_t sequence = config.train.sequence_lengths.max(); sizes.max_positions < sequence) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("train.sequence is {}, but the teacher has {} positions", sequence, sizes.max_positions),
        "shorten train.sequence");
  }
  QUERN_TRY(model::Decoder teacher, model::load_model(path, {.compute_dtype = config.train.dtype}));
  return align::Reference::of(std::make_shared<const model::Decoder>(std::move(teacher)));
}

Result<std::unique_ptr<train::Criterion>> criterion(const TuneConfig& config, const TunedModel& model) {
  Result<align::Reference> teacher = open_teacher(config, model);
  if (!teacher.ok()) return std::move(teacher).error().within("distill.teacher");
  return std::unique_ptr<train::Criterion>(
      new align::DistillationCriterion(model.model(), *std::move(teacher), config.distill.options));
}

Result<void> finish(TuneConfig& config, const Fields& loaded) {
  ops::DistillationOptions& options = config.distill.options;
  if (config.distill.teacher.empty()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("distill.teacher is not set ({})", loaded.find("distill.teacher")->help()),
                      "add it to the config file or use --set distill.teacher=...");
  }
  if (options.divergence != Divergence::jensen_shannon) {
    if (!loaded.is_set("distill.beta")) return {};
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("distill.beta is set at {}, and the divergence has none",
                                  loaded.find("distill.beta")->origin()),
                      "distill.divergence=jensen_shannon has it");
  }
  // The ends of what it interpolates, where the sum itself would be 0.
  if (options.beta == 0.0) options.divergence = Divergence::forward_kl;
  if (options.beta == 1.0) options.divergence = Divergence::reverse_kl;
  if (options.divergence != Divergence::jensen_shannon) options.beta = 0.5;
  return {};
}

}  // namespace

TuningTask distill_task() {
  return {.task = TrainTask::distill,
          .name = "distill",
          .summary = "the answers of examples, and what a teacher says of each of their tokens",
          .sections = {"distill."},
          .examples = data::TokenContent::supervised,
          .finish = finish,
          .criterion = criterion};
}

}  // namespace quern::recipes
