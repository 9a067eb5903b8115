// Decoders made smaller by leaving parts of them out: layers, channels of MLPs, heads; and weights set to 0.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "model/decoder.h"

namespace quern::convert {

// What stays of one layer, ascending. A head group is a key head with the query heads that share it.
struct KeptLayer {
  int64_t layer = 0;                   // of the whole model
  std::vector<int64_t> channels = {};  // inside its MLP; empty: all
  std::vector<int64_t> groups = {};    // of heads; empty: all
};

// A decoder of the layers `kept`, each as many channels and head groups as the others. It shares weights with `model` where
// nothing is cut, and has those of blocks as f32 where something is. invalid_argument for layers that are not there or not
// ascending; unsupported for channels of mixtures of experts, and for heads whose place among the others matters (ALiBi).
Result<model::Decoder> kept_part(const model::Decoder& model, const std::vector<KeptLayer>& kept);

// Which weights of a matrix become 0: those of least magnitude.
struct Sparsity {
  double share = 0.0;  // of all weights of the matrix
  // Or `of - left` of each `of` neighbours in a row, as sparse tensor cores want them (2 of 4); 0: not so.
  int64_t left = 0, of = 0;
};

struct SparsityReport {
  int64_t matrices = 0, weights = 0, zeros = 0;
};

// Sets weights of every linear map of the blocks to 0, but for routers of experts. invalid_argument where `of` does not divide
// the columns of one of them.
Result<SparsityReport> make_sparse(model::Decoder& model, const Sparsity& sparsity);

}  // namespace quern::convert
