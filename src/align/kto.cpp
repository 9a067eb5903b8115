#include "align/kto.h"

#include <fmt/format.h>

#include <algorithm>

#include "align/answers.h"
#include "align/logistic.h"
#include "autograd/graph.h"

namespace quern::align {

namespace {

// Each prompt of the step with the answer to another one: that of the document before, in the order of the dataset, as in
// TRL.
Result<data::SupervisedSampler> mismatched(const data::SupervisedSampler& examples,
                                           const data::SupervisedStep& step) {
  std::vector<int64_t> documents;
  for (const data::SupervisedBatch& batch : step.micro_batches)
    for (const data::SupervisedSequence& sequence : batch.sequences) documents.push_back(sequence.document);
  std::ranges::sort(documents);
  std::vector<data::TokenDocument> mixed;
  for (size_t i = 0; i < documents.size(); ++i) {
    const data::TokenDocument own = examples.dataset().document(documents[i]);
    const data::TokenDocument other =
        examples.dataset().document(documents[(i + documents.size() - 1) % documents.size()]);
    const auto answer = std::ranges::find(own.learnt, 1) - own.learnt.begin();
    const auto begin = std::ranges::find(other.learnt, 1) - other.learnt.begin();
    // A document of n tokens takes n - 1 places of a row.
    const auto room = static_cast<ptrdiff_t>(examples.options().sequence) + 1 - answer;
    const auto end = std::min(static_cast<ptrdiff_t>(other.tokens.size()), begin + room);
    data::TokenDocument& document = mixed.emplace_back();
    document.tokens.assign(own.tokens.begin(), own.tokens.begin() + answer);
    document.learnt.assign(own.learnt.begin(), own.learnt.begin() + answer);
    document.tokens.insert(document.tokens.end(), other.tokens.begin() + begin, other.tokens.begin() + end);
    document.learnt.insert(document.learnt.end(), other.learnt.begin() + begin, other.learnt.begin() + end);
  }
  data::SupervisedOptions options = examples.options();
  options.shuffle = false;
  return data::SupervisedSampler::create(
      data::TokenDataset::from_examples(data::TokenContent::supervised, mixed), options);
}

}  // namespace

KtoLoss kto_loss(const AnswerLogProb& answer, bool wanted, double z, const KtoOptions& options) {
  const double ratio = answer.sum - answer.reference;
  const double sign = wanted ? 1.0 : -1.0, weight = wanted ? options.wanted_weight : options.unwanted_weight;
  const double value = sigmoid(sign * options.beta * (ratio - z));
  return {weight * (1.0 - value), -weight * sign * options.beta * value * (1.0 - value),
          options.beta * ratio};
}

// Over answers, [0] of unwanted and [1] of wanted ones.
struct KtoTuning::Sums {
  int64_t count[2] = {}, examples = 0;
  double loss = 0.0, kl = 0.0;  // kl: times examples
  double reward[2] = {}, logp[2] = {};

  // Of a kind of which there was none there are no figures.
  std::vector<train::Figure> figures() const {
    const auto mean = [&](const double(&sums)[2], int kind) {
      return sums[kind] / static_cast<double>(count[kind]);
    };
    std::vector<train::Figure> all = {{"kl", kl / static_cast<double>(examples)}};
    for (const int kind : {1, 0}) {
      if (count[kind] == 0) continue;
      const std::string name = kind == 1 ? "wanted" : "unwanted";
      all.emplace_back(name + "_reward", mean(reward, kind));
      all.emplace_back(name + "_logp", mean(logp, kind));
    }
    if (count[0] > 0 && count[1] > 0) all.emplace_back("margin", mean(reward, 1) - mean(reward, 0));
    return all;
  }
};

Result<KtoTuning> KtoTuning::create(const model::Decoder& model, Reference reference,
                                    data::SupervisedSampler train,
                                    std::optional<data::SupervisedSampler> validation, const KtoOptions& kto,
                                    const train::TuningOptions& options) {
  for (const data::SupervisedSampler* examples : {&train, validation ? &*validation : nullptr}) {
    if (examples == nullptr) continue;
    QUERN_CHECK(train::check_examples(model.config(), *examples));
    if (examples->dataset().content() == data::TokenContent::unpaired) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the examples are {}, and unpaired ones are needed",
                                  data::name_of(examples->dataset().content())),
                      "prepare rows with prompt, completion and label");
  }
  if (options.batch < 2) {
    return make_error(ErrorCode::invalid_argument,
                      "train.batch is 1, and steps of at least 2 examples are needed",
                      "KTO compares each prompt with the answer to another one of its step");
  }
  return KtoTuning(model, std::move(reference), std::move(train), std::move(validation), kto, options);
}

KtoTuning::KtoTuning(const model::Decoder& model, Reference reference, data::SupervisedSampler train,
                     std::optional<data::SupervisedSampler> validation, const KtoOptions& kto,
                     const train::TuningOptions& options)
    : model_(&model),
      reference_(std::move(reference)),
      train_(std::move(train)),
      validation_(std::move(validation)),
      kto_(kto),
      options_(options) {}

double KtoTuning::estimate_kl(const data::SupervisedSampler& examples,
                              const data::SupervisedStep& step) const {
  if (step.examples < 2) return 0.0;
  const autograd::NoGrad no_grad;
  const data::SupervisedStep mixed = mismatched(examples, step).value().step(0, step.examples);
  double sum = 0.0;
  for (const data::SupervisedBatch& batch : mixed.micro_batches) {
    const Answers now(*model_, batch, nn::ForwardContext::packed(batch.positions));
    const Answers before(reference_.model(), batch, reference_.context(batch));
    for (size_t i = 0; i < batch.sequences.size(); ++i) sum += now.sum(i) - before.sum(i);
  }
  return std::max(0.0, sum / static_cast<double>(step.examples));
}

// Adds what the answers of a batch lose to `sums`, and where anything is recorded, their gradient times `scale` to the
// model.
void KtoTuning::learn(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double z,
                      double scale, Sums& sums) const {
  const Answers answers(*model_, batch, context);
  const auto before = [&] {
    const autograd::NoGrad no_grad;
    return Answers(reference_.model(), batch, reference_.context(batch));
  }();
  std::vector<double> d_sums(batch.sequences.size());
  for (size_t i = 0; i < d_sums.size(); ++i) {
    const bool wanted = batch.sequences[i].value > 0.5f;
    const KtoLoss one =
        kto_loss({answers.sum(i), before.sum(i), batch.sequences[i].targets}, wanted, z, kto_);
    d_sums[i] = scale * one.d;
    sums.loss += one.loss;
    ++sums.examples;
    ++sums.count[wanted];
    sums.reward[wanted] += one.reward;
    sums.logp[wanted] += answers.sum(i);
  }
  if (autograd::grad_enabled()) answers.backward_sums(d_sums);
}

Result<train::StepLoss> KtoTuning::accumulate(const train::StepRequest& request) {
  const data::SupervisedStep step = train_.step(drawn_, options_.batch);
  train::StepLoss result{.targets = step.targets, .tokens = step.tokens};
  Sums sums;
  const double z = estimate_kl(train_, step);
  sums.kl = z * static_cast<double>(step.examples);
  for (const data::SupervisedBatch& batch : step.micro_batches) {
    learn(batch, training_context(batch, options_, request.micro_batches + result.micro_batches++), z,
          request.scale / static_cast<double>(step.examples), sums);
  }
  drawn_ += step.examples;
  result.loss = sums.loss / static_cast<double>(sums.examples);
  result.figures = train::figures_of_step(step, drawn_, train_.example_count());
  const std::vector<train::Figure> own = sums.figures();
  result.figures.insert(result.figures.end(), own.begin(), own.end());
  return result;
}

Result<std::optional<train::Evaluation>> KtoTuning::evaluate(int64_t) {
  if (!validation_) return std::optional<train::Evaluation>();
  const autograd::NoGrad no_grad;
  train::Evaluation evaluation;
  Sums sums;
  for (int64_t drawn = 0; drawn < validation_->example_count();) {
    const data::SupervisedStep step = validation_->step(drawn, options_.batch);
    const double z = estimate_kl(*validation_, step);
    sums.kl += z * static_cast<double>(step.examples);
    for (const data::SupervisedBatch& batch : step.micro_batches)
      learn(batch, nn::ForwardContext::packed(batch.positions), z, 1.0, sums);
    evaluation.tokens += step.targets;
    drawn += step.examples;
  }
  evaluation.loss = sums.loss / static_cast<double>(sums.examples);
  evaluation.figures = sums.figures();
  return std::optional(evaluation);
}

Result<void> KtoTuning::restore(const nlohmann::json& state) {
  drawn_ = state.at("examples").get<int64_t>();
  return {};
}

void KtoTuning::describe(train::Fingerprint& print) const {
  print["examples"] = fmt::format("{:016x}", train_.dataset().key());
  print["train.batch"] = options_.batch;
  print["train.sequence"] = train_.options().sequence;
  print["kto"] = {kto_.beta, kto_.wanted_weight, kto_.unwanted_weight};
}

}  // namespace quern::align
