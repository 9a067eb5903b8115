#include "align/kto.h"

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
    const auto room = static_cast<ptrdiff_t>(examples.options().sequence) + 1 - answer -
                      std::ssize(examples.options().before);
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

double KtoCriterion::estimate_kl(const data::SupervisedSampler& examples,
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

void KtoCriterion::begin_step(const data::SupervisedSampler& examples, const data::SupervisedStep& step) {
  z_ = estimate_kl(examples, step);
  step_examples_ = static_cast<double>(step.examples);
  sums_.kl += z_ * step_examples_;
}

void KtoCriterion::add(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double scale) {
  const Answers answers(*model_, batch, context);
  const auto before = [&] {
    const autograd::NoGrad no_grad;
    return Answers(reference_.model(), batch, reference_.context(batch));
  }();
  std::vector<double> d_sums(batch.sequences.size());
  for (size_t i = 0; i < d_sums.size(); ++i) {
    const bool wanted = batch.sequences[i].value > 0.5f;
    const KtoLoss one =
        kto_loss({answers.sum(i), before.sum(i), batch.sequences[i].targets}, wanted, z_, options_);
    d_sums[i] = scale / step_examples_ * one.d;
    sums_.loss += one.loss;
    ++sums_.examples;
    ++sums_.count[wanted];
    sums_.reward[wanted] += one.reward;
    sums_.logp[wanted] += answers.sum(i);
  }
  if (autograd::grad_enabled()) answers.backward_sums(d_sums);
}

// Of a kind of which there was none there are no figures.
std::vector<train::Figure> KtoCriterion::figures() const {
  const auto mean = [&](const double(&sums)[2], int kind) {
    return sums[kind] / static_cast<double>(sums_.count[kind]);
  };
  std::vector<train::Figure> all = {{"kl", sums_.kl / static_cast<double>(sums_.examples)}};
  for (const int kind : {1, 0}) {
    if (sums_.count[kind] == 0) continue;
    const std::string name = kind == 1 ? "wanted" : "unwanted";
    all.emplace_back(name + "_reward", mean(sums_.reward, kind));
    all.emplace_back(name + "_logp", mean(sums_.logp, kind));
  }
  if (sums_.count[0] > 0 && sums_.count[1] > 0)
    all.emplace_back("margin", mean(sums_.reward, 1) - mean(sums_.reward, 0));
  return all;
}

void KtoCriterion::describe(train::Fingerprint& print) const {
  print["kto"] = {options_.beta, options_.wanted_weight, options_.unwanted_weight};
}

}  // namespace quern::align
