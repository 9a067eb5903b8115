#include "encoding/written_texts.h"

#include <algorithm>
#include <cmath>

#include "autograd/graph.h"

namespace quern::encoding {

namespace {

constexpr int64_t kJudgedRows = 256;  // rows of logits at a time

// What a decoder reads of targets, and is to write: i32 [B, T] each, as long as the longest; -1 where nothing is asked.
struct WrittenBatch {
  Tensor inputs, targets;

  WrittenBatch(std::span<const TextPair> pairs, const model::ModelConfig& config) {
    size_t time = 1;
    for (const TextPair& pair : pairs) time = std::max(time, pair.target.size());
    const Shape shape{static_cast<int64_t>(pairs.size()), static_cast<int64_t>(time)};
    inputs = Tensor::full(shape, static_cast<double>(std::max<int64_t>(config.pad_token, 0)), DType::i32);
    targets = Tensor::full(shape, -1.0, DType::i32);
    for (size_t row = 0; row < pairs.size(); ++row) {
      const std::vector<int32_t>& text = pairs[row].target;
      const auto at = static_cast<std::ptrdiff_t>(row * time);
      std::ranges::copy(text, targets.data<int32_t>() + at);
      inputs.data<int32_t>()[at] = static_cast<int32_t>(config.start_token);
      std::copy(text.begin(), text.end() - 1, inputs.data<int32_t>() + at + 1);
    }
  }
};

}  // namespace

int64_t WrittenTexts::targets(std::span<const int64_t> chosen, uint64_t draw) const {
  int64_t count = 0;
  for (const int64_t i : chosen) count += static_cast<int64_t>(pair(i, draw).target.size());
  return count;
}

void WrittenTexts::add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) {
  std::vector<TextPair> pairs;
  std::vector<TextTokens> read;
  for (const int64_t i : chosen) {
    pairs.push_back(pair(i, pass.draw));
    read.push_back({std::move(pairs.back().source), {}});
    sums_.tokens += static_cast<int64_t>(pairs.back().target.size());
  }
  std::vector<const TextTokens*> sources;
  for (const TextTokens& text : read) sources.push_back(&text);
  const model::Encoder& encoder = model_->encoder();
  const model::Decoder& decoder = model_->decoder();
  const TextBatch batch(sources, encoder.config(), pass);
  const WrittenBatch written(pairs, decoder.config());
  nn::ForwardContext context = nn::ForwardContext::causal(written.inputs.dim(0), written.inputs.dim(1));
  context.source = decoder.source(encoder.hidden(batch.tokens, batch.context), batch.lengths);
  context.checkpoint = pass.checkpoint;
  context.dropout = pass.dropout;
  context.dropout.seed ^= uint64_t{1} << 40;  // other elements than the encoder
  const Tensor states = decoder.hidden(written.inputs, context);
  const Tensor loss = decoder.loss(states, written.targets, {});
  sums_.loss += loss.item();
  if (autograd::grad_enabled())
    backward_from(loss, std::vector{weight});
  else
    judge(states, written.targets);
}

// Which tokens are the likeliest.
void WrittenTexts::judge(const Tensor& states, const Tensor& targets) {
  const int64_t time = targets.dim(1), rows = targets.numel();
  const Tensor flat = states.reshaped({rows, states.dim(2)});
  std::vector<char> exact(static_cast<size_t>(targets.dim(0)), 1);
  for (int64_t begin = 0; begin < rows; begin += kJudgedRows) {
    const int64_t end = std::min(rows, begin + kJudgedRows);
    const Tensor logits = model_->decoder().logits(flat.sliced(begin, end)).to(DType::f32);
    const auto vocab = static_cast<size_t>(logits.dim(1));
    for (int64_t row = begin; row < end; ++row) {
      const int32_t target = targets.data<int32_t>()[row];
      if (target < 0) continue;
      const auto scores = logits.span<float>().subspan(static_cast<size_t>(row - begin) * vocab, vocab);
      const bool right = std::ranges::max_element(scores) - scores.begin() == target;
      sums_.right += right;
      if (!right) exact[static_cast<size_t>(row / time)] = 0;
    }
  }
  sums_.texts += targets.dim(0);
  sums_.exact += std::ranges::count(exact, 1);
}

std::vector<train::Figure> WrittenTexts::evaluation_figures() const {
  return {{"perplexity", std::exp(loss())},
          {"accuracy", static_cast<double>(sums_.right) / static_cast<double>(sums_.tokens)}};
}

std::vector<train::Figure> AnsweredTexts::evaluation_figures() const {
  std::vector<train::Figure> figures = WrittenTexts::evaluation_figures();
  figures.emplace_back("exact_match", exact());
  return figures;
}

}  // namespace quern::encoding
