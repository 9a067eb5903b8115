// Whole models quantised, tensor by tensor.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "convert/file_types.h"
#include "formats/gguf/contents.h"

namespace quern::convert {

struct QuantizeOptions {
  const FileType* type = nullptr;
  // Types of single modules, before those of the file type: {"output", q6_k}, {"blk.0.ffn_down", f16}. A name stands for
  // the tensors in whose name it is, whole between dots; of a tied model "output" is the token embedding.
  std::vector<std::pair<std::string, DType>> keep;
  // By the name of a tensor: how much an error in each column costs. Empty: the same.
  std::map<std::string, std::vector<float>> importance;
};

// What became of one tensor.
struct QuantizedTensor {
  std::string name;
  Shape shape;
  DType before;
  DType wanted;  // but for `after`, where rows are no whole blocks of it
  DType after;
  double rmse = 0.0;      // of all elements
  double relative = 0.0;  // over the root mean square of what was there
  bool weighted = false;  // by importance
};

struct QuantizeReport {
  std::vector<QuantizedTensor> tensors;  // in the order of the file
  int64_t elements = 0;
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;

  double bits_per_weight() const {
    return 8.0 * static_cast<double>(bytes_after) / static_cast<double>(elements);
  }
};

// Writes `source` to `path` as `options` say. Tensors that are of their type already are copied as they are. Errors: of
// quant::quantize, with the name of the tensor; invalid_argument for a name of `keep` that no tensor has, and for an
// importance of another width than its tensor.
Result<QuantizeReport> quantize(formats::GgufContents source, const QuantizeOptions& options,
                                const std::filesystem::path& path, Progress& progress);

// Writes the decoder at `source`, a model folder or a GGUF file, as a Hugging Face folder with the matrices of its layers in NF4
// (model::save_model_in_nf4) and all else in the dtype of the model. The report has those matrices alone, by their names in
// the folder. Errors as save_as_hf; unsupported for what is no decoder.
Result<QuantizeReport> quantize_to_nf4(const std::filesystem::path& source,
                                       const std::filesystem::path& folder, bool replace, Progress& progress);

}  // namespace quern::convert
