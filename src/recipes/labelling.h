// Settings of tasks that encoders learn from rows of labelled data, or of related texts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "encoding/sentence_loss.h"
#include "infer/sentence_form.h"
#include "model/encoder_kinds.h"

namespace quern::recipes {

// The `rows:` section.
struct RowsConfig {
  std::vector<std::string> rename;  // "theirs=ours"
  double validation = 0.0;

  void fields(Fields& f);
};

// The `classify:` section.
struct ClassifyConfig {
  enum class Kind : uint8_t { sequence, token, question };
  enum class Guess : uint8_t { automatic, single_label, multi_label, regression };
  Kind kind = Kind::sequence;
  Guess problem = Guess::automatic;
  std::vector<std::string> labels;
  int64_t stride = 128;

  void fields(Fields& f);
  model::Head head() const;
  std::optional<model::Problem> given_problem() const;
};

// The `embed:` section.
struct EmbedConfig {
  enum class Loss : uint8_t { automatic, ranking, triplet, cosine, cosent };
  Loss loss = Loss::automatic;
  encoding::SentenceLossOptions options;
  infer::Pooling pooling = infer::Pooling::mean;
  bool pools_as_given = false;  // somebody chose `pooling`; otherwise the model's own goes before it

  void fields(Fields& f);
};

}  // namespace quern::recipes
