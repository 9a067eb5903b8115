#include "encoding/replaced_tokens.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "autograd/graph.h"
#include "base/rng.h"
#include "encoding/label_loss.h"
#include "ops/embedding.h"

namespace quern::encoding {

namespace {

constexpr uint64_t kReplacements = 0x52544F;  // apart from the draws of masks
constexpr int64_t kDrawnRows = 256;           // rows of logits at a time

}  // namespace

int32_t drawn_token(std::span<const float> logits, double uniform) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(double{logit} - most);
  double below = 0.0;
  size_t last = 0;  // rounding may leave the sum a little short
  for (size_t i = 0; i < logits.size(); ++i) {
    const double part = std::exp(double{logits[i]} - most);
    if (part == 0.0) continue;
    below += part;
    last = i;
    if (below > uniform * sum) break;
  }
  return static_cast<int32_t>(last);
}

ReplacedTokens::ReplacedTokens(const model::Encoder& generator, const model::Encoder& discriminator,
                               MaskTokens tokens, std::vector<TextTokens> texts, const MaskOptions& options,
                               double weight)
    : generator_(&generator),
      discriminator_(&discriminator),
      words_(generator, std::move(tokens), std::move(texts), options),
      seed_(options.seed),
      weight_(weight) {}

void ReplacedTokens::add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) {
  const std::vector<TextTokens> texts = replace(chosen, pass, weight);
  // `weight` is for the mean over hidden words of the step; the discriminator's is over all its tokens.
  int64_t places = 0;
  for (const int64_t i : pass.step) places += length(i);
  const auto hidden = static_cast<double>(std::max<int64_t>(targets(pass.step, pass.draw), 1));
  discriminate(chosen, texts, pass,
               weight_ * weight * hidden / static_cast<double>(std::max<int64_t>(places, 1)));
}

// Learns to tell hidden words, and returns the texts with what was drawn in their place.
std::vector<TextTokens> ReplacedTokens::replace(std::span<const int64_t> chosen, const EncoderPass& pass,
                                                double weight) {
  std::vector<MaskedWords::Masked> masked;
  std::vector<const TextTokens*> read;
  for (const int64_t i : chosen) masked.push_back(words_.masked(i, pass.draw));
  read.reserve(masked.size());
  for (const MaskedWords::Masked& text : masked) read.push_back(&text.text);
  TextBatch batch(read, generator_->config(), pass);
  batch.context.dropout.seed ^= uint64_t{1} << 41;  // other elements than the discriminator
  const Tensor targets = Tensor::full(batch.tokens.shape(), -1.0, DType::i32);
  std::vector<int64_t> places;
  std::vector<double> draws;
  for (size_t row = 0; row < masked.size(); ++row) {
    const int64_t begin = static_cast<int64_t>(row) * targets.dim(1);
    std::ranges::copy(masked[row].targets, targets.data<int32_t>() + begin);
    Rng rng(seed_ ^ kReplacements ^ pass.draw << 24, static_cast<uint64_t>(chosen[row]));
    for (size_t t = 0; t < masked[row].targets.size(); ++t) {
      if (masked[row].targets[t] < 0) continue;
      places.push_back(begin + static_cast<int64_t>(t));
      draws.push_back(rng.uniform());
    }
  }
  std::vector<TextTokens> texts;
  texts.reserve(masked.size());
  for (MaskedWords::Masked& text : masked) texts.push_back(std::move(text.text));
  if (places.empty()) return texts;
  const Tensor states = generator_->hidden(batch.tokens, batch.context, batch.types);
  const Tensor loss = generator_->loss(states, targets, {});
  sums_.generator += loss.item();
  sums_.hidden += static_cast<int64_t>(places.size());
  {
    const autograd::NoGrad no_grad;
    const Tensor told = states.detached().reshaped({states.dim(0) * states.dim(1), states.dim(2)});
    for (size_t begin = 0; begin < places.size(); begin += kDrawnRows) {
      const auto part = std::span(places).subspan(begin, std::min<size_t>(kDrawnRows, places.size() - begin));
      const std::vector<int32_t> rows(part.begin(), part.end());
      const Tensor asked =
          ops::embedding(Tensor::from(rows, {1, static_cast<int64_t>(rows.size())}), told, told.dtype());
      const Tensor logits = generator_->head(asked).to(DType::f32);
      const auto vocab = static_cast<size_t>(logits.dim(2));
      for (size_t i = 0; i < part.size(); ++i) {
        const auto row = static_cast<size_t>(part[i] / targets.dim(1));
        texts[row].ids[static_cast<size_t>(part[i] % targets.dim(1))] =
            drawn_token(logits.span<float>().subspan(i * vocab, vocab), draws[begin + i]);
      }
    }
  }
  backward_from(loss, std::vector{weight});
  return texts;
}

void ReplacedTokens::discriminate(std::span<const int64_t> chosen, std::span<const TextTokens> texts,
                                  const EncoderPass& pass, double weight) {
  std::vector<const TextTokens*> read;
  for (const TextTokens& text : texts) read.push_back(&text);
  const TextBatch batch(read, discriminator_->config(), pass);
  const Tensor outputs =
      discriminator_->head(discriminator_->hidden(batch.tokens, batch.context, batch.types), pass.dropout);
  const std::vector<double> scores = doubles_of(outputs);
  std::vector<double> gradient(scores.size());
  const auto time = static_cast<size_t>(batch.tokens.dim(1));
  for (size_t row = 0; row < texts.size(); ++row) {
    const std::vector<int32_t>& own = words_.text(chosen[row]).ids;
    for (size_t t = 0; t < own.size(); ++t) {
      const size_t at = row * time + t;
      const bool replaced = texts[row].ids[t] != own[t], said = scores[at] > 0.0;
      const double wanted = replaced ? 1.0 : 0.0;
      sums_.discriminator += sigmoid_loss({&scores[at], 1}, {&wanted, 1}, weight, {&gradient[at], 1});
      sums_.right += replaced == said;
      sums_.replaced.add(replaced, said);
    }
    sums_.places += static_cast<int64_t>(own.size());
  }
  backward_from(outputs, gradient);
}

double ReplacedTokens::generator_loss() const {
  return sums_.generator / static_cast<double>(std::max<int64_t>(sums_.hidden, 1));
}

double ReplacedTokens::discriminator_loss() const {
  return sums_.discriminator / static_cast<double>(std::max<int64_t>(sums_.places, 1));
}

std::vector<train::Figure> ReplacedTokens::figures() const {
  return {{"generator_loss", generator_loss()},
          {"discriminator_loss", discriminator_loss()},
          {"precision", sums_.replaced.precision()},
          {"recall", sums_.replaced.recall()},
          {"f1", sums_.replaced.f1()}};
}

std::vector<train::Figure> ReplacedTokens::evaluation_figures() const {
  std::vector<train::Figure> all = figures();
  all.emplace_back(
      "accuracy", static_cast<double>(sums_.right) / static_cast<double>(std::max<int64_t>(sums_.places, 1)));
  return all;
}

void ReplacedTokens::describe(train::Fingerprint& print) const {
  words_.describe(print);
  print["mlm.discriminator_weight"] = weight_;
}

GeneratorAndDiscriminator::GeneratorAndDiscriminator(model::Encoder& generator, model::Encoder& discriminator)
    : generator_(generator), discriminator_(discriminator) {
  parameters_.generator = &generator;
  parameters_.discriminator = &discriminator;
}

void GeneratorAndDiscriminator::Parameters::visit(const nn::Visitor& visitor, const std::string& prefix) {
  std::set<const nn::Parameter*> known;
  for (const auto& [name, model] : {std::pair{"discriminator.", discriminator}, {"generator.", generator}}) {
    model->visit(
        [&](const std::string& path, nn::Parameter& parameter) {
          if (known.insert(&parameter).second) visitor(path, parameter);
        },
        prefix + name);
  }
}

void GeneratorAndDiscriminator::set_compute_dtype(DType dtype) {
  generator_.set_compute_dtype(dtype);
  discriminator_.set_compute_dtype(dtype);
}

Result<void> GeneratorAndDiscriminator::save(const std::filesystem::path& folder, bool final) const {
  QUERN_CHECK(discriminator_.save(folder, final));
  return generator_.save(folder / kGenerator, final);
}

Result<void> GeneratorAndDiscriminator::restore(const std::filesystem::path& folder) {
  QUERN_CHECK(discriminator_.restore(folder));
  return generator_.restore(folder / kGenerator);
}

}  // namespace quern::encoding
