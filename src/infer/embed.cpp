#include "infer/embed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quern::infer {

namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// The state of the text as a sum over its tokens t of weight(t) times their states.
template <class Weight>
void add_sum(const Tensor& states, const Weight& weight, Embedding& result) {
  const int64_t time = states.dim(0), width = states.dim(1);
  for (int64_t c = 0; c < width; ++c) {
    double sum = 0.0;
    for (int64_t t = 0; t < time; ++t)
      sum += weight(t) * static_cast<double>(states.data<float>()[t * width + c]);
    result.push_back(static_cast<float>(sum));
  }
}

// Appends what `pooling` makes of states [T, C].
void pool(const Tensor& states, Pooling pooling, Embedding& result) {
  const int64_t time = states.dim(0), width = states.dim(1);
  const auto count = static_cast<double>(time);
  const auto single = [&](int64_t chosen) { return [chosen](int64_t t) { return t == chosen ? 1.0 : 0.0; }; };
  switch (pooling) {
    case Pooling::cls:
      return add_sum(states, single(0), result);
    case Pooling::last:
      return add_sum(states, single(time - 1), result);
    case Pooling::mean:
      return add_sum(
          states, [&](int64_t) { return 1.0 / count; }, result);
    case Pooling::mean_sqrt_len:
      return add_sum(
          states, [&](int64_t) { return 1.0 / std::sqrt(count); }, result);
    case Pooling::weighted_mean: {
      const double total = count * (count + 1.0) / 2.0;
      return add_sum(
          states, [&](int64_t t) { return static_cast<double>(t + 1) / total; }, result);
    }
    case Pooling::max:
      for (int64_t c = 0; c < width; ++c) {
        float largest = states.data<float>()[c];
        for (int64_t t = 1; t < time; ++t) largest = std::max(largest, states.data<float>()[t * width + c]);
        result.push_back(largest);
      }
      return;
    case Pooling::pooler:
      break;  // made by the model
  }
}

}  // namespace

void normalize(Embedding& embedding) {
  const double length = std::sqrt(dot(embedding, embedding));
  if (length == 0.0) return;
  for (float& value : embedding) value = static_cast<float>(static_cast<double>(value) / length);
}

bool pools_by_head(const SentenceForm& form) {
  return std::ranges::find(form.pooling, Pooling::pooler) != form.pooling.end();
}

Result<void> check_form(const SentenceForm& form, const model::ModelConfig& config) {
  if (!pools_by_head(form)) return {};
  if (config.head != model::Head::none || config.head_activation == ops::Activation::identity) {
    return make_error(ErrorCode::invalid_argument, "the model has no pooler",
                      "choose another --pooling, such as mean or cls");
  }
  if (form.pooling.size() > 1)
    return make_error(ErrorCode::invalid_argument, "pooler cannot be joined to other ways of pooling");
  return {};
}

Embedding pooled(const Tensor& result, const SentenceForm& form) {
  Embedding embedding;
  if (pools_by_head(form)) {
    const auto values = result.span<float>();
    embedding.assign(values.begin(), values.end());
  } else {
    for (const Pooling pooling : form.pooling) pool(result, pooling, embedding);
  }
  if (form.normalize) normalize(embedding);
  return embedding;
}

Result<std::vector<Embedding>> embed(const EncoderSession& session, std::span<const std::string> texts,
                                     const SentenceForm& form, TooLong too_long, Progress& progress) {
  QUERN_CHECK(check_form(form, session.config()));
  std::vector<std::vector<EncoderToken>> inputs;
  for (const std::string& text : texts) {
    QUERN_TRY(std::vector<EncoderToken> input, session.read(text, std::nullopt, too_long));
    if (input.empty())
      return make_error(ErrorCode::invalid_argument, "a text without tokens has no embedding");
    inputs.push_back(std::move(input));
  }
  std::vector<Embedding> embeddings(texts.size());
  const auto receive = [&](size_t index, const Tensor& result) { embeddings[index] = pooled(result, form); };
  session.run(inputs, pools_by_head(form), receive, progress);
  return embeddings;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  const double lengths = std::sqrt(dot(a, a) * dot(b, b));
  return lengths == 0.0 ? 0.0 : dot(a, b) / lengths;
}

}  // namespace quern::infer
