// task: classify
#include "encoding/question_rows.h"
#include "encoding/sequence_rows.h"
#include "encoding/token_rows.h"
#include "recipes/tuning/encoder_tuning.h"
#include "recipes/tuning/settings.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

using Learner = std::shared_ptr<infer::LoadedEncoder>;
using model::Head;

encoding::LabelOptions label_options(const TuneConfig& config, const EncoderBase& base) {
  const bool same = base.config.head == config.classify.head();
  return {.longest = base.longest,
          .given = config.classify.labels,
          .of_model = same ? base.config.labels : std::vector<std::string>()};
}

Result<EncoderTuning> learn_sequences(const TuneConfig& config, EncoderBase base,
                                      const encoding::LabelledRows& rows, encoding::RefusedRows& refused) {
  QUERN_TRY(encoding::SequenceSet set,
            encoding::read_sequences(rows, base.tokenizer, config.classify.given_problem(),
                                     label_options(config, base), refused));
  QUERN_CHECK(check_left(set.train.size(), refused));
  warn_of_cuts(set.cut, base.longest);
  QUERN_TRY(const Learner learner,
            open_learner(config, std::move(base),
                         {Head::sequence_classification, set.problem, set.labels, config.train.seed}));
  const model::Encoder& model = learner->model;
  EncoderTuning result = begin_encoder(
      config, learner, std::make_unique<encoding::SequenceLabels>(model, std::move(set.train)),
      std::make_unique<encoding::SequenceLabels>(model, std::move(set.validation)), true, rows.key);
  result.first = set.first;
  return result;
}

Result<EncoderTuning> learn_tokens(const TuneConfig& config, EncoderBase base,
                                   const encoding::LabelledRows& rows, encoding::RefusedRows& refused) {
  QUERN_TRY(encoding::TokenSet set,
            encoding::read_tokens(rows, base.tokenizer, label_options(config, base), refused));
  QUERN_CHECK(check_left(set.train.size(), refused));
  warn_of_cuts(set.cut, base.longest);
  QUERN_TRY(const Learner learner, open_learner(config, std::move(base),
                                                {Head::token_classification, model::Problem::single_label,
                                                 set.labels, config.train.seed}));
  const model::Encoder& model = learner->model;
  EncoderTuning result = begin_encoder(
      config, learner, std::make_unique<encoding::TokenLabels>(model, std::move(set.train)),
      std::make_unique<encoding::TokenLabels>(model, std::move(set.validation)), true, rows.key);
  result.first = set.first;
  return result;
}

Result<EncoderTuning> learn_answers(const TuneConfig& config, EncoderBase base,
                                    const encoding::LabelledRows& rows, encoding::RefusedRows& refused) {
  QUERN_TRY(encoding::QuestionSet set,
            encoding::read_questions(rows, base.tokenizer,
                                     {.longest = base.longest, .stride = config.classify.stride}, refused));
  QUERN_CHECK(check_left(set.windows[0].size(), refused));
  QUERN_TRY(const Learner learner,
            open_learner(config, std::move(base),
                         {Head::question_answering, model::Problem::single_label, {}, config.train.seed}));
  const auto criterion = [&](size_t side) {
    return std::make_unique<encoding::AnswerSpans>(learner->model, std::move(set.asked[side]),
                                                   std::move(set.windows[side]));
  };
  EncoderTuning result = begin_encoder(config, learner, criterion(0), criterion(1), true, rows.key);
  result.first = set.first;
  return result;
}

Result<EncoderTuning> begin(const TuneConfig& config) {
  QUERN_TRY(EncoderBase base, open_encoder_base(config));
  encoding::RefusedRows refused;
  QUERN_TRY(const encoding::LabelledRows rows, open_rows(config, refused));
  const auto learn = [&] {
    switch (config.classify.kind) {
      case ClassifyConfig::Kind::token:
        return learn_tokens(config, std::move(base), rows, refused);
      case ClassifyConfig::Kind::question:
        return learn_answers(config, std::move(base), rows, refused);
      default:
        return learn_sequences(config, std::move(base), rows, refused);
    }
  };
  QUERN_TRY(EncoderTuning result, learn());
  result.rows = rows.count;
  result.refused = std::move(refused);
  return result;
}

Result<void> finish(TuneConfig& config, const Fields& loaded) {
  const bool questions = config.classify.kind == ClassifyConfig::Kind::question;
  if (!loaded.is_set("train.sequence")) config.train.sequence = questions ? "384" : "128";
  const bool sequences = config.classify.kind == ClassifyConfig::Kind::sequence;
  if (!sequences) QUERN_CHECK(refuse_settings(loaded, "classify of this kind", {"classify.problem"}));
  if (!questions) QUERN_CHECK(refuse_settings(loaded, "classify of this kind", {"classify.stride"}));
  if (questions) QUERN_CHECK(refuse_settings(loaded, "classify of this kind", {"classify.labels"}));
  return {};
}

}  // namespace

TuningTask classify_task() {
  return {.task = TrainTask::classify,
          .name = "classify",
          .summary = "labels of texts, of words, or answers out of a context, by an encoder",
          .sections = {"rows.", "classify."},
          .model_lr = 5e-5,
          .finish = finish,
          .begin_with_rows = begin};
}

}  // namespace quern::recipes
