#include "encoding/text_tokens.h"

#include <algorithm>

#include "autograd/graph.h"

namespace quern::encoding {

TextTokens TextTokens::of(std::span<const infer::EncoderToken> tokens) {
  TextTokens result;
  bool any = false;
  for (const infer::EncoderToken& token : tokens) {
    result.ids.push_back(token.id);
    result.segments.push_back(token.segment);
    any = any || token.segment != 0;
  }
  if (!any) result.segments.clear();
  return result;
}

TextBatch::TextBatch(std::span<const TextTokens* const> texts, const model::ModelConfig& config,
                     const EncoderPass& pass) {
  int64_t time = 1;
  for (const TextTokens* text : texts) {
    lengths.push_back(text->size());
    time = std::max(time, text->size());
  }
  const Shape shape{static_cast<int64_t>(texts.size()), time};
  tokens = Tensor::full(shape, static_cast<double>(std::max<int64_t>(config.pad_token, 0)), DType::i32);
  if (config.token_types > 1) types = Tensor::zeros(shape, DType::i32);
  for (size_t row = 0; row < texts.size(); ++row) {
    const auto at = static_cast<std::ptrdiff_t>(row) * static_cast<std::ptrdiff_t>(time);
    std::ranges::copy(texts[row]->ids, tokens.data<int32_t>() + at);
    if (types.defined()) std::ranges::copy(texts[row]->segments, types.data<int32_t>() + at);
  }
  context = nn::ForwardContext::padded(lengths, time);
  context.dropout = pass.dropout;
  context.checkpoint = pass.checkpoint;
}

std::vector<double> doubles_of(const Tensor& wide) {
  const Tensor doubles = wide.to(DType::f64);
  const auto values = doubles.span<double>();
  return {values.begin(), values.end()};
}

void backward_from(const Tensor& outputs, std::span<const double> gradient) {
  if (!autograd::grad_enabled()) return;
  const std::vector<double> values(gradient.begin(), gradient.end());
  autograd::backward(outputs, Tensor::from(values, outputs.shape()).to(outputs.dtype()));
}

}  // namespace quern::encoding
