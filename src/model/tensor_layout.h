// The way tensors lie in checkpoints against the way Decoder holds them: transposed, several joined in one, rows of
// queries and keys in another order, norms with 1 added.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/family.h"
#include "tensor/tensor.h"

namespace quern::model {

// The shape a checkpoint stores `name` with, from the shapes of its parameters.
Shape file_shape(const TensorName& name, const std::vector<Shape>& parameters);
// The parameters that a file's tensor holds; shares its elements where the layouts agree. Precondition: its
// shape is file_shape(name, shapes).
std::vector<Tensor> split(const TensorName& name, const Tensor& tensor, const std::vector<Shape>& shapes);
// The inverse of split; parameters of one dtype.
Tensor join(const TensorName& name, const std::vector<Tensor>& parameters);

// `value` of the Decoder's parameter `name` where the layout of the weights (norm_offset, rope.half_split,
// position_offset) is that of `to` in place of `from`, configs of one model: `value` itself where nothing changes. Norms are f32.
Tensor relaid(const Tensor& value, std::string_view name, const ModelConfig& from, const ModelConfig& to);

}  // namespace quern::model
