// Measures importance matrices: runs a model over a text and sums the squares of what enters each linear map.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/evaluation_text.h"
#include "formats/gguf/importance_matrix.h"
#include "model/decoder.h"

namespace quern::eval {

// Sums the squares of the inputs of linear maps, column by column, in double precision. Each column is summed by one
// thread, in the order of the rows.
class ImportanceCollector final : public nn::LinearObserver {
 public:
  void input(const nn::Parameter& weight, const Tensor& x) override;

  // What was seen of `model`, under the names that GGUF files of its family give the weights. unsupported when GGUF
  // has no such family; diverged when inputs were no finite numbers.
  Result<formats::ImportanceMatrix> matrix(const model::Decoder& model) const;

 private:
  struct Sums {
    std::vector<double> squares;  // [C]
    int64_t rows = 0;
  };
  std::unordered_map<const nn::Parameter*, Sums> sums_;
};

// Runs `model` over chunks of `context` tokens of the text (as WindowMethod::chunks cuts it), all or the first `chunks`.
// Errors of windows_over and matrix(); invalid_argument when the context is longer than the model has positions. Throws
// `cancelled` as throw_if_interrupted() does. `datasets` is left to the caller.
Result<formats::ImportanceMatrix> measure_importance(const model::Decoder& model, const EvaluationText& text,
                                                     const WindowOptions& windows, Progress& progress);

}  // namespace quern::eval
