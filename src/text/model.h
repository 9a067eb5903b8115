// A tokenizer model: pieces of text to token ids. BPE today; others implement the same interface.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/segment.h"
#include "text/vocabulary.h"

namespace quern::text {

// Where a model puts its tokens; `spans`, when wanted, gets the range of each in the segment's text.
struct TokenSink {
  std::vector<TokenId>& ids;
  std::vector<Span>* spans = nullptr;
};

// Buffers and caches of one thread. What they hold never changes a result.
class ModelScratch {
 public:
  virtual ~ModelScratch() = default;
};

// const methods are thread-safe; each thread brings its own scratch.
class Model {
 public:
  virtual ~Model() = default;
  // The "type" of the file.
  virtual std::string_view type() const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  // The token for what cannot be encoded, or kNoToken.
  virtual TokenId unknown_token() const = 0;
  virtual std::unique_ptr<ModelScratch> make_scratch() const = 0;
  // Appends the tokens of each piece of `text`. Precondition: `scratch` comes from this model.
  virtual void encode(std::string_view text, std::span<const Span> pieces, ModelScratch& scratch,
                      TokenSink sink) const = 0;
  // The "model" object of tokenizer.json.
  virtual std::string to_json() const = 0;
};

}  // namespace quern::text
