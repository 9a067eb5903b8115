#include "encoding/denoised_texts.h"

#include <fmt/format.h>

#include <algorithm>

#include "infer/predict.h"

namespace quern::encoding {

namespace {

constexpr uint64_t kCorruption = 0x4E4F495345;  // apart from the draws of dropout and order

std::vector<int32_t> sentinels_of(const text::Tokenizer& tokenizer) {
  std::vector<int32_t> sentinels;
  for (;;) {
    const std::string name = fmt::format("<extra_id_{}>", sentinels.size());
    auto id = tokenizer.token_to_id(name);
    if (!id) id = tokenizer.token_to_id("\xE2\x96\x81" + name);  // mT5's are pieces, with their space
    if (!id) return sentinels;
    sentinels.push_back(*id);
  }
}

std::vector<char> sentence_ends(const text::Tokenizer& tokenizer) {
  std::vector<char> ends;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string token = tokenizer.id_to_token(id).value_or("");
    const bool ends_one = token.ends_with('.') || token.ends_with('!') || token.ends_with('?') ||
                          token.ends_with("\xE3\x80\x82");
    ends.push_back(ends_one && !tokenizer.is_special(id));
  }
  return ends;
}

SpanOptions spans_of(const DenoiseOptions& options) { return {options.share, options.mean_span}; }

}  // namespace

Result<Surroundings> surroundings_of_answers(const text::Tokenizer& tokenizer) {
  Surroundings result = Surroundings::of(tokenizer);
  const std::optional<int32_t> end = tokenizer.special_ids().eos;
  if (!result.after.empty() && (!end || result.after.back() == *end)) return result;
  if (!end) {
    return make_error(ErrorCode::not_found, "the tokenizer has no token that ends a text",
                      "name it under eos_token in tokenizer_config.json: answers would never end");
  }
  result.after.push_back(*end);
  return result;
}

Result<NoiseTokens> NoiseTokens::of(const text::Tokenizer& tokenizer, Corruption corruption) {
  NoiseTokens tokens;
  if (corruption == Corruption::spans) {
    tokens.sentinels = sentinels_of(tokenizer);
    if (tokens.sentinels.empty()) {
      return make_error(
          ErrorCode::not_found, "the tokenizer has no sentinels (<extra_id_0>, <extra_id_1>, ...)",
          "'quern tokenizer train --set sentinels=100' makes one that has, or hide spans behind "
          "one mask: denoise.corruption=infilling");
    }
  } else {
    QUERN_TRY(const std::string mask, infer::mask_token(tokenizer));
    const auto id = tokenizer.token_to_id(mask);
    if (!id) return make_error(ErrorCode::not_found, "the tokenizer has no token " + mask);
    tokens.mask = *id;
    tokens.ends = sentence_ends(tokenizer);
  }
  tokens.read = Surroundings::of(tokenizer);
  QUERN_TRY(tokens.written, surroundings_of_answers(tokenizer));
  return tokens;
}

Result<DenoisedLengths> denoised_lengths(int64_t sequence, const NoiseTokens& tokens,
                                         const DenoiseOptions& options) {
  const int64_t room = sequence - tokens.read.size();
  const bool spans = options.corruption == Corruption::spans;
  const int64_t text = spans ? longest_text(room, spans_of(options)) : room;
  if (text < 2) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("train.sequence is {}, of which {} are special tokens: no room for a text",
                                  sequence, tokens.read.size()),
                      "lengthen train.sequence");
  }
  if (!spans) return DenoisedLengths{text, text + tokens.written.size()};
  const SpanCounts counts = span_counts(text, spans_of(options));
  if (const auto known = static_cast<int64_t>(tokens.sentinels.size()); counts.spans > known) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("a text of {} tokens has {} spans, but the tokenizer has {} sentinels",
                                  text, counts.spans, known),
                      "shorten train.sequence, or lengthen denoise.mean_span");
  }
  return DenoisedLengths{text, counts.target + tokens.written.size()};
}

DenoisedTexts::DenoisedTexts(const model::EncoderDecoder& model, NoiseTokens tokens,
                             std::vector<std::vector<int32_t>> texts, const DenoiseOptions& options)
    : WrittenTexts(model), tokens_(std::move(tokens)), texts_(std::move(texts)), options_(options) {}

TextPair DenoisedTexts::pair(int64_t example, uint64_t draw) const {
  const std::vector<int32_t>& text = texts_[static_cast<size_t>(example)];
  Rng rng(options_.seed ^ kCorruption ^ draw << 24, static_cast<uint64_t>(example));
  TextPair pair;
  if (options_.corruption == Corruption::spans) {
    const std::vector<char> noise = noise_mask(static_cast<int64_t>(text.size()), spans_of(options_),
                                               [&](uint64_t bound) { return rng.below(bound); });
    pair = corrupt_spans(text, noise, tokens_.sentinels);
  } else {
    const std::vector<HiddenSpan> spans =
        hidden_spans(static_cast<int64_t>(text.size()), {options_.share, options_.mean_span}, rng);
    // Sentences change places first: a span may hide where one ends.
    pair.source =
        with_masks(options_.shuffle ? shuffle_sentences(text, tokens_.ends, rng) : text, spans, tokens_.mask);
    pair.target = text;
  }
  return {tokens_.read.around(pair.source), tokens_.written.around(pair.target)};
}

void DenoisedTexts::describe(train::Fingerprint& print) const {
  print["denoise"] = {options_.corruption == Corruption::spans ? "spans" : "infilling", options_.share,
                      options_.mean_span, options_.shuffle};
}

}  // namespace quern::encoding
