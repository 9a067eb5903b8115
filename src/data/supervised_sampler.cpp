#include "data/supervised_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/exception.h"
#include "data/permutation.h"

namespace quern::data {

// A micro-batch before it is filled: its sequences, and how far each row is used.
struct SupervisedSampler::Layout {
  std::vector<SupervisedSequence> sequences;
  std::vector<int64_t> used;
};

namespace {

// Learnt tokens of a document that something stands before.
int64_t targets_of(const TokenDataset& dataset, int64_t document, std::vector<uint8_t>& scratch) {
  scratch.resize(static_cast<size_t>(std::max<int64_t>(dataset.document_length(document) - 1, 0)));
  if (scratch.empty()) return 0;
  dataset.read_learnt(dataset.document_begin(document) + 1, scratch);
  return std::accumulate(scratch.begin(), scratch.end(), int64_t{0});
}

}  // namespace

SupervisedSampler::SupervisedSampler(TokenDataset dataset, SupervisedOptions options)
    : dataset_(std::move(dataset)),
      options_(options),
      documents_per_example_(dataset_.content() == TokenContent::preferences ? 2 : 1) {}

Result<SupervisedSampler> SupervisedSampler::create(TokenDataset dataset, SupervisedOptions options) {
  const auto refuse = [](std::string message, std::string hint) {
    return make_error(ErrorCode::invalid_argument, std::move(message), std::move(hint));
  };
  if (options.sequence < 1 || options.rows < 1)
    return refuse(fmt::format("micro-batches: expected at least one row of one token, got {} of {}",
                              options.rows, options.sequence),
                  {});
  if (dataset.document_count() == 0) return refuse("there are no examples to learn from", {});
  SupervisedSampler sampler(std::move(dataset), options);
  int64_t longest = 0, too_long = 0;
  std::vector<uint8_t> scratch;
  for (int64_t i = 0; i < sampler.dataset_.document_count(); ++i) {
    const int64_t targets = targets_of(sampler.dataset_, i, scratch);
    if (targets == 0)
      return refuse(fmt::format("nothing of example {} is learnt", i / sampler.documents_per_example_),
                    "prepare the data again: quern data prepare");
    sampler.target_count_ += targets;
    const int64_t places = sampler.places_of(i);
    longest = std::max(longest, places);
    too_long += places > options.sequence;
  }
  if (too_long > 0) {
    const std::string with =
        options.before.empty() ? "" : fmt::format(" with the {} before it", options.before.size());
    return refuse(
        fmt::format("{} of {} sequences are longer than the {} tokens of a row, the longest has {}{}",
                    too_long, sampler.dataset_.document_count(), options.sequence, longest, with),
        "raise the length of rows, or prepare the data with a smaller max_length");
  }
  return sampler;
}

int64_t SupervisedSampler::places_of(int64_t document) const {
  return static_cast<int64_t>(options_.before.size()) + dataset_.document_length(document) -
         (options_.last_tokens ? 0 : 1);
}

int64_t SupervisedSampler::example_count() const {
  return dataset_.document_count() / documents_per_example_;
}

int64_t SupervisedSampler::steps_per_epoch(int64_t batch) const {
  return (example_count() + batch - 1) / batch;
}

SupervisedStep SupervisedSampler::step(int64_t drawn, int64_t batch) const {
  if (drawn < 0 || batch < 1)
    throw ShapeError(
        fmt::format("[step] expected at least one example after 0 or more, got {} after {}", batch, drawn));
  SupervisedStep step;
  step.examples = std::min(batch, example_count() - drawn % example_count());
  for (const Layout& layout : lay_out(drawn, step.examples)) {
    const SupervisedBatch& filled = step.micro_batches.emplace_back(fill(layout));
    step.targets += filled.target_count;
    step.tokens += std::accumulate(layout.used.begin(), layout.used.end(), int64_t{0});
    step.places += filled.tokens.numel();
  }
  const auto weight = static_cast<float>(1.0 / static_cast<double>(step.targets));
  for (SupervisedBatch& filled : step.micro_batches) {
    const auto targets = filled.targets.span<int32_t>();
    const auto weights = filled.weights.span<float>();
    for (size_t i = 0; i < targets.size(); ++i) weights[i] = targets[i] == kIgnoredTarget ? 0.0f : weight;
  }
  return step;
}

// Puts examples where they fit, the longest first, each into the first micro-batch with room for all of it (first fit
// decreasing; the answers of a pair stay together). Examples of one length keep the order they are drawn in.
std::vector<SupervisedSampler::Layout> SupervisedSampler::lay_out(int64_t drawn, int64_t count) const {
  const int64_t examples = example_count(), epoch = drawn / examples, first = drawn % examples;
  const Permutation order(static_cast<uint64_t>(examples), options_.seed, static_cast<uint64_t>(epoch));
  const auto length_of = [&](int64_t example) {
    int64_t length = 0;
    for (int64_t i = 0; i < documents_per_example_; ++i)
      length += places_of(example * documents_per_example_ + i);
    return length;
  };
  std::vector<int64_t> chosen;
  for (int64_t rank = first; rank < first + count; ++rank)
    chosen.push_back(options_.shuffle ? static_cast<int64_t>(order(static_cast<uint64_t>(rank))) : rank);
  std::ranges::stable_sort(chosen, [&](int64_t a, int64_t b) { return length_of(a) > length_of(b); });

  const auto rows = static_cast<size_t>(options_.rows * documents_per_example_);
  const auto row_for = [&](const std::vector<int64_t>& used, int64_t places) {
    const auto fits = [&](int64_t taken) {
      return options_.packed ? taken + places <= options_.sequence : taken == 0;
    };
    return static_cast<size_t>(std::ranges::find_if(used, fits) - used.begin());
  };
  // False, with the layout as it was, when there is no room.
  const auto place = [&](Layout& layout, int64_t example) {
    std::vector<int64_t> used = layout.used;
    std::vector<SupervisedSequence> added;
    for (int64_t i = 0; i < documents_per_example_; ++i) {
      const int64_t document = example * documents_per_example_ + i, places = places_of(document);
      const size_t row = row_for(used, places);
      if (row == rows) return false;
      if (row == used.size()) used.push_back(0);
      added.push_back({.document = document,
                       .row = static_cast<int64_t>(row),
                       .begin = used[row],
                       .length = places,
                       .targets = 0,
                       .value = dataset_.value(document)});
      used[row] += places;
    }
    layout.used = std::move(used);
    layout.sequences.insert(layout.sequences.end(), added.begin(), added.end());
    return true;
  };
  std::vector<Layout> layouts;
  for (const int64_t example : chosen) {
    const bool placed = std::ranges::any_of(layouts, [&](Layout& layout) { return place(layout, example); });
    if (!placed) place(layouts.emplace_back(), example);
  }
  return layouts;
}

SupervisedBatch SupervisedSampler::fill(const Layout& layout) const {
  const auto batch = static_cast<int64_t>(layout.used.size());
  const int64_t time = *std::ranges::max_element(layout.used);
  SupervisedBatch filled;
  for (Tensor* tensor :
       {&filled.tokens, &filled.targets, &filled.document_start, &filled.positions, &filled.sequence})
    *tensor = Tensor({batch, time}, DType::i32);
  filled.weights = Tensor({batch, time}, DType::f32);
  filled.sequences = layout.sequences;
  const auto tokens = filled.tokens.span<int32_t>(), targets = filled.targets.span<int32_t>(),
             starts = filled.document_start.span<int32_t>(), positions = filled.positions.span<int32_t>(),
             sequence = filled.sequence.span<int32_t>();
  // What is left of a row is one piece of padding that nothing learns from.
  for (int64_t row = 0; row < batch; ++row) {
    const int64_t begin = layout.used[static_cast<size_t>(row)];
    for (int64_t i = begin; i < time; ++i) {
      const auto at = static_cast<size_t>(row * time + i);
      tokens[at] = 0;
      targets[at] = kIgnoredTarget;
      starts[at] = static_cast<int32_t>(begin);
      positions[at] = static_cast<int32_t>(i - begin);
      sequence[at] = -1;
    }
  }
  const std::vector<int32_t>& before = options_.before;
  std::vector<int32_t> text;
  std::vector<uint8_t> learnt;
  for (size_t index = 0; index < filled.sequences.size(); ++index) {
    SupervisedSequence& piece = filled.sequences[index];
    const int64_t begin = dataset_.document_begin(piece.document);
    text.resize(static_cast<size_t>(dataset_.document_length(piece.document)));
    learnt.resize(text.size() - 1);
    dataset_.read(begin, text);
    dataset_.read_learnt(begin + 1, learnt);
    text.insert(text.begin(), before.begin(), before.end());
    learnt.insert(learnt.begin(), before.size(), 0);
    learnt.resize(static_cast<size_t>(piece.length), 0);
    for (size_t i = 0; i < learnt.size(); ++i) {
      const auto at = static_cast<size_t>(piece.row * time + piece.begin) + i;
      tokens[at] = text[i];
      targets[at] = learnt[i] != 0 ? text[i + 1] : kIgnoredTarget;
      starts[at] = static_cast<int32_t>(piece.begin);
      positions[at] = static_cast<int32_t>(i);
      sequence[at] = static_cast<int32_t>(index);
      piece.targets += learnt[i];
    }
    filled.target_count += piece.targets;
  }
  return filled;
}

}  // namespace quern::data
