// Replaced tokens (ELECTRA, Clark et al. 2020, arXiv 2003.10555): a small generator fills hidden words with what it draws, and a
// discriminator learns which tokens of a text are not its own.
#pragma once

#include "encoding/label_counts.h"
#include "encoding/masked_words.h"
#include "train/trainee.h"

namespace quern::encoding {

// The loss of the generator's hidden words, and `weight` times the mean over all tokens of texts of the discriminator's binary
// cross-entropy. No gradient passes through what is drawn. Draws are a function of the seed, the step, the example and the
// place. Figures: generator_loss, discriminator_loss; precision, recall and f1 of replaced tokens; in evaluations accuracy too.
class ReplacedTokens final : public EncoderCriterion {
 public:
  // The models must outlive it, and have the heads masked_lm and discriminator.
  ReplacedTokens(const model::Encoder& generator, const model::Encoder& discriminator, MaskTokens tokens,
                 std::vector<TextTokens> texts, const MaskOptions& options, double weight);

  int64_t size() const override { return words_.size(); }
  int64_t length(int64_t example) const override { return words_.length(example); }
  int64_t targets(std::span<const int64_t> chosen, uint64_t draw) const override {
    return words_.targets(chosen, draw);
  }
  void describe(train::Fingerprint& print) const override;
  void clear() override { sums_ = {}; }
  void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) override;
  double loss() const override { return generator_loss() + weight_ * discriminator_loss(); }
  std::vector<train::Figure> figures() const override;
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  struct Sums {
    double generator = 0.0, discriminator = 0.0;
    int64_t hidden = 0, places = 0, right = 0;
    FoundCounts replaced;
  };
  double generator_loss() const;
  double discriminator_loss() const;
  std::vector<TextTokens> replace(std::span<const int64_t> chosen, const EncoderPass& pass, double weight);
  void discriminate(std::span<const int64_t> chosen, std::span<const TextTokens> texts,
                    const EncoderPass& pass, double weight);

  const model::Encoder* generator_;
  const model::Encoder* discriminator_;
  MaskedWords words_;
  uint64_t seed_;
  double weight_;
  Sums sums_;
};

// The place in a row of logits where a distribution function first exceeds `uniform`, in [0, 1).
int32_t drawn_token(std::span<const float> logits, double uniform);

// Both models learn. Tables that they share are parameters once, the discriminator's. The folder is the discriminator's, and
// holds the generator under "generator".
class GeneratorAndDiscriminator final : public train::Trainee {
 public:
  static constexpr const char* kGenerator = "generator";

  GeneratorAndDiscriminator(model::Encoder& generator, model::Encoder& discriminator);

  nn::Module& parameters() override { return parameters_; }
  void set_compute_dtype(DType dtype) override;
  Result<void> save(const std::filesystem::path& folder, bool final) const override;
  Result<void> restore(const std::filesystem::path& folder) override;
  std::string_view folder() const override { return discriminator_.folder(); }

 private:
  // Named discriminator.* and generator.*.
  struct Parameters final : nn::Module {
    nn::Module *generator = nullptr, *discriminator = nullptr;
    void visit(const nn::Visitor& visitor, const std::string& prefix) override;
  };

  train::WholeEncoder generator_, discriminator_;
  Parameters parameters_;
};

}  // namespace quern::encoding
