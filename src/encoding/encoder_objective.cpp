#include "encoding/encoder_objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "autograd/graph.h"

namespace quern::encoding {

namespace {

std::vector<int64_t> lengths_of(const EncoderCriterion& examples) {
  std::vector<int64_t> lengths(static_cast<size_t>(examples.size()));
  for (size_t i = 0; i < lengths.size(); ++i) lengths[i] = examples.length(static_cast<int64_t>(i));
  return lengths;
}

// Tokens of examples, and the places that a batch of them takes.
struct Places {
  int64_t tokens = 0, padded = 0;

  void add(const EncoderCriterion& examples, std::span<const int64_t> chosen) {
    int64_t longest = 0;
    for (const int64_t i : chosen) {
      tokens += examples.length(i);
      longest = std::max(longest, examples.length(i));
    }
    padded += longest * static_cast<int64_t>(chosen.size());
  }
};

}  // namespace

EncoderObjective::EncoderObjective(std::unique_ptr<EncoderCriterion> learnt,
                                   std::unique_ptr<EncoderCriterion> held_out, const EncoderTraining& options)
    : learnt_(std::move(learnt)),
      held_out_(std::move(held_out)),
      options_(options),
      order_(lengths_of(*learnt_), options.batch, options.seed, options.by_length) {}

Result<train::StepLoss> EncoderObjective::accumulate(const train::StepRequest& request) {
  const std::vector<int64_t> chosen = order_.at(request.step);
  const size_t rows = options_.micro_batch > 0 ? static_cast<size_t>(options_.micro_batch) : chosen.size();
  const size_t each = learnt_->beside_each_other() ? chosen.size() : rows;
  train::StepLoss result;
  result.targets = learnt_->targets(chosen, static_cast<uint64_t>(request.step));
  const double weight = request.scale / static_cast<double>(std::max<int64_t>(result.targets, 1));
  Places places;
  learnt_->clear();
  for (size_t begin = 0; begin < chosen.size(); begin += each) {
    const auto part = std::span(chosen).subspan(begin, std::min(each, chosen.size() - begin));
    const EncoderPass pass{
        .dropout = {.enabled = options_.dropout,
                    .seed = options_.seed,
                    .step = static_cast<uint64_t>(request.micro_batches + result.micro_batches)},
        .checkpoint = options_.checkpointing,
        .rows = static_cast<int64_t>(rows),
        .draw = static_cast<uint64_t>(request.step),
        .step = chosen};
    learnt_->add(part, pass, weight);
    places.add(*learnt_, part);
    result.micro_batches += static_cast<int64_t>((part.size() + rows - 1) / rows);
  }
  result.loss = learnt_->loss();
  result.tokens = places.tokens;
  result.figures = {
      {"epoch", static_cast<double>(request.step + 1) / static_cast<double>(order_.per_epoch())},
      {"padding", 1.0 - static_cast<double>(places.tokens) / static_cast<double>(places.padded)}};
  for (train::Figure& figure : learnt_->figures()) result.figures.push_back(std::move(figure));
  return result;
}

Result<std::optional<train::Evaluation>> EncoderObjective::evaluate(int64_t) {
  if (!held_out_) return std::optional<train::Evaluation>();
  const autograd::NoGrad no_grad;
  std::vector<int64_t> all(static_cast<size_t>(held_out_->size()));
  std::iota(all.begin(), all.end(), int64_t{0});
  if (!held_out_->beside_each_other()) {
    std::ranges::stable_sort(all, std::greater{}, [&](int64_t i) { return held_out_->length(i); });
  }
  const auto each = static_cast<size_t>(options_.batch);
  held_out_->clear();
  for (size_t begin = 0; begin < all.size(); begin += each)
    held_out_->add(std::span(all).subspan(begin, std::min(each, all.size() - begin)), {}, 1.0);
  return std::optional(train::Evaluation{.loss = held_out_->loss(),
                                         .tokens = held_out_->targets(all, 0),
                                         .figures = held_out_->evaluation_figures()});
}

void EncoderObjective::describe(train::Fingerprint& print) const {
  print["examples"] = fmt::format("{:016x}", options_.key);
  print["train.batch"] = options_.batch;
  learnt_->describe(print);
}

}  // namespace quern::encoding
