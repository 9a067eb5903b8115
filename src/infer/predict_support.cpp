#include "infer/predict_support.h"

#include <fmt/format.h>

#include <algorithm>

namespace quern::infer {

namespace {

// Of a head, in words; and the class that has it.
std::string_view describe(model::Head head) {
  switch (head) {
    case model::Head::none:
      return "no head";
    case model::Head::masked_lm:
      return "a masked language model's head";
    case model::Head::sequence_classification:
      return "labels for whole texts";
    case model::Head::token_classification:
      return "labels for tokens";
    case model::Head::question_answering:
      return "a head that answers questions";
    case model::Head::discriminator:
      return "a discriminator's head";
  }
  return "";
}

}  // namespace

Result<void> expect_head(const EncoderSession& session, model::Head wanted) {
  const model::Head head = session.config().head;
  if (head == wanted) return {};
  return make_error(ErrorCode::conflict,
                    fmt::format("the model has {}, expected {}", describe(head), describe(wanted)),
                    "the class under \"architectures\" in config.json says which head a model has");
}

Result<std::vector<std::vector<EncoderToken>>> read_all(const EncoderSession& session,
                                                        std::span<const std::string> texts,
                                                        TooLong too_long) {
  std::vector<std::vector<EncoderToken>> inputs;
  for (const std::string& text : texts) {
    QUERN_TRY(std::vector<EncoderToken> input, session.read(text, std::nullopt, too_long));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

std::vector<double> softmax(std::span<const float> logits) {
  std::vector<double> result(logits.begin(), logits.end());
  const double largest = result.empty() ? 0.0 : *std::ranges::max_element(result);
  double sum = 0.0;
  for (double& value : result) sum += value = std::exp(value - largest);
  for (double& value : result) value /= sum;
  return result;
}

std::span<const float> row_of(const Tensor& outputs, size_t t) {
  const auto width = static_cast<size_t>(outputs.dim(1));
  return outputs.span<float>().subspan(t * width, width);
}

}  // namespace quern::infer
