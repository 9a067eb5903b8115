#include "encoding/masked_words.h"

#include <algorithm>
#include <cmath>

#include "autograd/graph.h"
#include "base/rng.h"
#include "encoding/cut_texts.h"
#include "infer/predict.h"

namespace quern::encoding {

namespace {

constexpr uint64_t kMasks = 0x4D4C4D;  // apart from the draws of dropout and order

// Pieces of words begin otherwise by the kind of vocabulary: "##" goes on, or what has no sign of a space before it.
std::vector<char> continuing(const text::Tokenizer& tokenizer) {
  constexpr std::string_view kSpaces[] = {"\xC4\xA0", "\xE2\x96\x81"};  // of byte-level BPE, of SentencePiece
  std::vector<std::string> names;
  bool pieces = false;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    names.push_back(tokenizer.id_to_token(id).value_or(""));
    pieces = pieces || (names.back().starts_with("##") && names.back().size() > 2);
  }
  std::vector<char> result;
  for (const std::string& name : names) {
    const bool spaced =
        std::ranges::any_of(kSpaces, [&](std::string_view space) { return name.starts_with(space); });
    result.push_back(pieces ? name.starts_with("##") : !spaced);
  }
  return result;
}

}  // namespace

Result<MaskTokens> MaskTokens::of(const text::Tokenizer& tokenizer) {
  QUERN_TRY(const std::string mask, infer::mask_token(tokenizer));
  MaskTokens tokens;
  const auto id = tokenizer.token_to_id(mask);
  if (!id) return make_error(ErrorCode::not_found, "the tokenizer has no token " + mask);
  tokens.mask = *id;
  for (int32_t token = 0; token < tokenizer.vocab_size(); ++token)
    tokens.special.push_back(tokenizer.is_special(token));
  tokens.continues = continuing(tokenizer);
  return tokens;
}

std::vector<TextTokens> texts_of(const data::TokenDataset& documents, const text::Tokenizer& tokenizer,
                                 int64_t longest) {
  const Surroundings around = Surroundings::of(tokenizer);
  std::vector<TextTokens> texts;
  for (const std::vector<int32_t>& text : cut_texts(documents, longest - around.size()))
    texts.push_back({around.around(text), {}});
  return texts;
}

MaskedWords::MaskedWords(const model::Encoder& model, MaskTokens tokens, std::vector<TextTokens> texts,
                         const MaskOptions& options)
    : model_(&model), tokens_(std::move(tokens)), texts_(std::move(texts)), options_(options) {}

MaskedWords::Masked MaskedWords::masked(int64_t example, uint64_t draw) const {
  Masked result{texts_[static_cast<size_t>(example)], {}};
  Rng rng(options_.seed ^ kMasks ^ draw << 24, static_cast<uint64_t>(example));
  bool asked = false;  // of the word
  for (int32_t& id : result.text.ids) {
    const auto at = static_cast<size_t>(id);
    result.targets.push_back(-1);
    if (tokens_.special[at]) {
      asked = false;
      continue;
    }
    const bool goes_on = options_.whole_words && tokens_.continues[at];
    if (const double chance = rng.uniform(); !goes_on) asked = chance < options_.share;
    const double fate = rng.uniform();
    const uint64_t other = rng.below(static_cast<uint64_t>(model_->config().vocab_size));
    if (!asked) continue;
    result.targets.back() = id;
    if (fate < options_.hidden)
      id = tokens_.mask;
    else if (fate < options_.hidden + options_.replaced)
      id = static_cast<int32_t>(other);
  }
  return result;
}

int64_t MaskedWords::targets(std::span<const int64_t> chosen, uint64_t draw) const {
  int64_t count = 0;
  for (const int64_t i : chosen) {
    const Masked text = masked(i, draw);
    count += std::ranges::count_if(text.targets, [](int32_t target) { return target >= 0; });
  }
  return count;
}

void MaskedWords::describe(train::Fingerprint& print) const {
  print["mlm"] = {options_.share, options_.hidden, options_.replaced, options_.whole_words};
}

void MaskedWords::add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) {
  std::vector<Masked> masks;
  masks.reserve(chosen.size());
  for (const int64_t i : chosen) masks.push_back(masked(i, pass.draw));
  std::vector<const TextTokens*> texts;
  texts.reserve(masks.size());
  for (const Masked& one : masks) texts.push_back(&one.text);
  const TextBatch batch(texts, model_->config(), pass);
  const Tensor targets = Tensor::full(batch.tokens.shape(), -1.0, DType::i32);
  int64_t count = 0;
  for (size_t row = 0; row < masks.size(); ++row) {
    std::ranges::copy(masks[row].targets,
                      targets.data<int32_t>() + static_cast<int64_t>(row) * targets.dim(1));
    count += std::ranges::count_if(masks[row].targets, [](int32_t target) { return target >= 0; });
  }
  if (count == 0) return;
  const Tensor loss = model_->loss(model_->hidden(batch.tokens, batch.context, batch.types), targets, {});
  sum_ += loss.item();
  count_ += static_cast<double>(count);
  backward_from(loss, std::vector{weight});
}

std::vector<train::Figure> MaskedWords::evaluation_figures() const {
  return {{"perplexity", std::exp(loss())}};
}

}  // namespace quern::encoding
