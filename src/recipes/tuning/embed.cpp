// task: embed
#include "infer/embed.h"

#include <fmt/format.h>

#include "encoding/related_rows.h"
#include "recipes/tuning/encoder_tuning.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

using encoding::RelatedForm;
using encoding::SentenceLossKind;
using Loss = EmbedConfig::Loss;

// How vectors are made: as the settings say, or the model's files, or the mean.
Result<infer::SentenceForm> form_of(const TuneConfig& config, int64_t longest) {
  QUERN_TRY(const std::optional<infer::SentenceForm> own, infer::read_sentence_form(config.from));
  infer::SentenceForm form = own.value_or(infer::SentenceForm{});
  if (config.embed.pools_as_given) form.pooling = {config.embed.pooling};
  if (form.longest == 0)
    form.longest = longest;  // what it reads later need not be as short as what it learnt
  return form;
}

Result<SentenceLossKind> kind_of(Loss loss, RelatedForm form) {
  const bool scored = form == RelatedForm::scored;
  const Error misfit = make_error(ErrorCode::invalid_argument, "embed.loss does not fit the rows",
                                  "ranking learns from anchor and positive, triplet from these and negative, "
                                  "cosine and cosent from sentence1, sentence2 and score");
  switch (loss) {
    case Loss::automatic:
      return scored ? SentenceLossKind::cosent : SentenceLossKind::ranking;
    case Loss::ranking:
      return scored ? Result<SentenceLossKind>(misfit) : SentenceLossKind::ranking;
    case Loss::triplet:
      return form == RelatedForm::triplets ? SentenceLossKind::triplet : Result<SentenceLossKind>(misfit);
    case Loss::cosine:
      return scored ? SentenceLossKind::cosine : Result<SentenceLossKind>(misfit);
    case Loss::cosent:
      return scored ? SentenceLossKind::cosent : Result<SentenceLossKind>(misfit);
  }
  return misfit;
}

Result<EncoderTuning> begin(const TuneConfig& config) {
  QUERN_TRY(EncoderBase base, open_encoder_base(config));
  QUERN_TRY(const infer::SentenceForm form, form_of(config, base.longest));
  encoding::RefusedRows refused;
  QUERN_TRY(const encoding::LabelledRows rows, open_rows(config, refused));
  QUERN_TRY(encoding::RelatedSet train,
            encoding::read_related(rows.train, base.tokenizer, base.longest, refused));
  QUERN_CHECK(check_left(train.examples.size(), refused));
  QUERN_TRY(encoding::RelatedSet held_out,
            encoding::read_related(rows.validation, base.tokenizer, base.longest, refused));
  encoding::SentenceLossOptions options = config.embed.options;
  QUERN_TRY(options.kind, kind_of(config.embed.loss, train.form));
  const bool judged = held_out.form == RelatedForm::scored && train.form != RelatedForm::scored;
  if (!judged && !held_out.examples.empty() && held_out.form != train.form) {
    return make_error(ErrorCode::invalid_argument, "the rows held out are of another form than those learnt",
                      "give pairs with a score, or rows of the same form");
  }
  warn_of_cuts(train.cut + held_out.cut, base.longest);
  QUERN_TRY(const std::shared_ptr<infer::LoadedEncoder> learner,
            open_learner(config, std::move(base), {.seed = config.train.seed}));
  QUERN_CHECK(infer::check_form(form, learner->model.config()));
  encoding::SentenceLossOptions judging = options;
  if (judged) judging.kind = SentenceLossKind::cosine;
  EncoderTuning result = begin_encoder(
      config, learner,
      std::make_unique<encoding::SentenceVectors>(learner->model, form, std::move(train.examples), options),
      std::make_unique<encoding::SentenceVectors>(learner->model, form, std::move(held_out.examples), judging,
                                                  judged),
      // Texts of other lengths are told apart too easily.
      options.kind != SentenceLossKind::ranking, rows.key);
  result.save_extras = [learner, form](const std::filesystem::path& to) -> Result<void> {
    QUERN_CHECK(learner->tokenizer.save(to));
    return infer::write_sentence_form(form, learner->model.config().hidden, to);
  };
  result.first = train.first;
  result.rows = rows.count;
  result.refused = std::move(refused);
  return result;
}

Result<void> finish(TuneConfig& config, const Fields& loaded) {
  if (!loaded.is_set("train.sequence")) config.train.sequence = "128";
  if (!loaded.is_set("train.batch")) config.train.batch = "32";
  config.embed.pools_as_given = loaded.is_set("embed.pooling");
  return {};
}

}  // namespace

TuningTask embed_task() {
  return {.task = TrainTask::embed,
          .name = "embed",
          .summary = "vectors of texts whose angles tell how near their meanings are, by an encoder",
          .sections = {"rows.", "embed."},
          .model_lr = 2e-5,
          .finish = finish,
          .begin_with_rows = begin};
}

}  // namespace quern::recipes
