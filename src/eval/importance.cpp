#include "eval/importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "eval/observed_passes.h"
#include "model/family.h"

namespace quern::eval {

void ImportanceCollector::input(const nn::Parameter& weight, const Tensor& x) {
  constexpr int64_t kColumns = 64;
  const int64_t width = x.dim(-1), rows = x.shape().rows();
  Sums& sums = sums_[&weight];
  sums.squares.resize(static_cast<size_t>(width));
  sums.rows += rows;
  const Tensor wide = x.to(DType::f32);
  const float* values = wide.data<float>();
  parallel_for(width, kColumns, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = begin; c < end; ++c) {
        const double value = values[r * width + c];
        sums.squares[static_cast<size_t>(c)] += value * value;
      }
    }
  });
}

namespace {

// Every tensor that GGUF files of the model have.
Result<std::vector<model::TensorName>> gguf_tensors(const model::Decoder& model) {
  const model::ModelConfig& config = model.config();
  QUERN_TRY(const model::Family* family, model::find_family(config.family));
  if (family->gguf.tensors == nullptr) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("an importance matrix names weights as GGUF does, which has no '{}'", config.family));
  }
  return family->gguf.tensors(config);
}

}  // namespace

Result<formats::ImportanceMatrix> ImportanceCollector::matrix(const model::Decoder& model) const {
  std::unordered_map<std::string, const Sums*> seen;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    if (const auto found = sums_.find(&parameter); found != sums_.end()) seen[name] = &found->second;
  });
  QUERN_TRY(const std::vector<model::TensorName> tensors, gguf_tensors(model));
  formats::ImportanceMatrix matrix;
  for (const model::TensorName& tensor : tensors) {
    // Parameters that a file joins along their outputs have the same input; stacked ones have one each.
    const size_t inputs = tensor.stacked ? tensor.parameters.size() : 1;
    std::vector<const Sums*> met;
    size_t width = 0;
    for (size_t m = 0; m < inputs; ++m) {
      const auto found = seen.find(tensor.parameters[m]);
      met.push_back(found == seen.end() ? nullptr : found->second);
      if (met.back()) width = met.back()->squares.size();
    }
    if (width == 0) continue;
    formats::ImportanceMatrix::Entry& entry = matrix.entries[tensor.file];
    for (const Sums* sums : met) {
      entry.counts.push_back(sums ? static_cast<float>(sums->rows) : 0.0f);
      if (sums)
        entry.sums.insert(entry.sums.end(), sums->squares.begin(), sums->squares.end());
      else
        entry.sums.resize(entry.sums.size() + width);
    }
    if (!std::ranges::all_of(entry.sums, [](float v) { return std::isfinite(v); })) {
      return make_error(ErrorCode::diverged,
                        fmt::format("the inputs of {} are no finite numbers", tensor.file),
                        "the weights are damaged, or their dtype does not hold their values");
    }
  }
  return matrix;
}

Result<formats::ImportanceMatrix> measure_importance(const model::Decoder& model, const EvaluationText& text,
                                                     const WindowOptions& options, Progress& progress) {
  QUERN_CHECK(gguf_tensors(model));
  ImportanceCollector collector;
  QUERN_TRY(const ObservedPasses passes,
            observe_passes(model, text, options, collector, "imatrix", "chunks", progress));
  QUERN_TRY(formats::ImportanceMatrix matrix, collector.matrix(model));
  matrix.chunk_count = static_cast<uint32_t>(passes.windows);
  matrix.chunk_size = static_cast<uint32_t>(options.context);
  return matrix;
}

}  // namespace quern::eval
