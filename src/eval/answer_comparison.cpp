#include "eval/answer_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "align/answers.h"
#include "autograd/graph.h"
#include "base/interrupt.h"
#include "data/supervised_sampler.h"

namespace quern::eval {

namespace {

// Of one answer by one model.
struct Score {
  double sum = 0.0;  // log-probability
  int64_t tokens = 0;
  double mean() const { return sum / static_cast<double>(tokens); }
};

// In rows that hold several short examples.
Result<data::SupervisedSampler> in_rows(const data::TokenDataset& examples, const model::Decoder& decoder) {
  const model::ModelConfig& model = decoder.config();
  const std::vector<int32_t> before = decoder.virtual_tokens();
  constexpr int64_t kRow = 512;
  int64_t longest = 0;
  for (int64_t i = 0; i < examples.document_count(); ++i)
    longest = std::max(longest, std::ssize(before) + examples.document_length(i) - 1);
  if (longest > model.max_positions || examples.max_token() >= model.vocab_size) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("the examples have up to {} tokens, the largest {}; the model has {} positions "
                    "and a vocabulary of {}",
                    longest + 1, examples.max_token(), model.max_positions, model.vocab_size),
        "prepare them with the model's tokenizer and a smaller max_length");
  }
  return data::SupervisedSampler::create(examples,
                                         {.sequence = std::max(longest, std::min(kRow, model.max_positions)),
                                          .shuffle = false,
                                          .before = before});
}

// Of each document.
Result<std::vector<Score>> scores_of(const data::TokenDataset& dataset, const model::Decoder& model,
                                     Progress& progress, std::string_view name) {
  QUERN_TRY(const data::SupervisedSampler examples, in_rows(dataset, model));
  constexpr int64_t kExamples = 16;  // laid out at a time
  const autograd::NoGrad no_grad;
  std::vector<Score> scores(static_cast<size_t>(dataset.document_count()));
  ProgressScope scope(progress, name, examples.example_count(), "examples");
  for (int64_t drawn = 0; drawn < examples.example_count();) {
    const data::SupervisedStep step = examples.step(drawn, kExamples);
    for (const data::SupervisedBatch& batch : step.micro_batches) {
      throw_if_interrupted();
      const align::Answers answers(model, batch, nn::ForwardContext::packed(batch.positions));
      for (size_t i = 0; i < batch.sequences.size(); ++i)
        scores[static_cast<size_t>(batch.sequences[i].document)] = {answers.sum(i),
                                                                    batch.sequences[i].targets};
    }
    drawn += step.examples;
    scope.update(drawn);
  }
  return scores;
}

// 1, 0, or 1/2 for a tie.
double win(double a, double b) { return a > b ? 1.0 : a == b ? 0.5 : 0.0; }

}  // namespace

Result<AnswerComparison> compare_answers(const data::TokenDataset& examples, const model::Decoder& base,
                                         const model::Decoder& tuned, Progress& progress) {
  if (examples.content() == data::TokenContent::text) {
    return make_error(ErrorCode::invalid_argument, "the token file holds text, and examples are needed",
                      "quern data prepare makes them; quern eval perplexity measures texts");
  }
  QUERN_TRY(const std::vector<Score> before, scores_of(examples, base, progress, "base"));
  QUERN_TRY(const std::vector<Score> after, scores_of(examples, tuned, progress, "tuned"));
  const size_t step = examples.content() == data::TokenContent::preferences ? 2 : 1;
  RunningMean base_loss, tuned_loss, difference, wins, base_accuracy, tuned_accuracy, moved, margin;
  AnswerComparison result;
  for (size_t i = 0; i < before.size(); i += step) {
    const Score &b = before[i], &t = after[i];
    ++result.examples;
    result.tokens += b.tokens;
    base_loss.add(-b.mean());
    tuned_loss.add(-t.mean());
    difference.add(b.mean() - t.mean());
    wins.add(win(t.sum, b.sum));
    if (step == 1) continue;
    const Score &other_b = before[i + 1], &other_t = after[i + 1];
    const double gained = t.sum - b.sum, other_gained = other_t.sum - other_b.sum;
    base_accuracy.add(win(b.mean(), other_b.mean()));
    tuned_accuracy.add(win(t.mean(), other_t.mean()));
    moved.add(win(gained, other_gained));
    margin.add(gained - other_gained);
  }
  result.base_loss = base_loss.estimate();
  result.tuned_loss = tuned_loss.estimate();
  result.difference = difference.estimate();
  result.wins = wins.estimate();
  if (step == 2) {
    result.pairs = AnswerComparison::Pairs{base_accuracy.estimate(), tuned_accuracy.estimate(),
                                           moved.estimate(), margin.estimate()};
  }
  return result;
}

}  // namespace quern::eval
