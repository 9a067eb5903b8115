#include "model/four_bit.h"

#include "base/log.h"
#include "quant/nf4.h"
#include "tensor/block_formats.h"

namespace quern::model {

bool is_layer_matrix(std::string_view name, const Shape& shape) {
  return shape.rank() == 2 && name.find("blocks.") != name.npos && name.ends_with(".weight");
}

Result<void> hold_in_nf4(nn::Module& model, DType dtype) {
  Result<void> result;
  int made = 0, left = 0;
  std::string one_left;
  model.visit([&](const std::string& name, nn::Parameter& parameter) {
    const bool routes = name.find(".router.") != name.npos;
    if (!result.ok() || routes || !is_layer_matrix(name, parameter.shape())) return;
    const Tensor before = parameter.master().detached();
    if (is_block(before.dtype())) return;
    if (before.dim(1) % BlockNF4::kElements != 0) {
      if (left++ == 0) one_left = name;
      return;
    }
    Result<Tensor> coded = quant::quantize_nf4(before, dtype);
    if (coded.ok())
      parameter.assign(std::move(*coded));
    else
      result = std::move(coded).error().within(name);
    ++made;
  });
  if (left > 0)
    log::warn("model", "{} matrices have rows of no whole 64 and stay as they are, such as {}", left,
              one_left);
  if (made + left == 0) log::warn("model", "the layers are quantised already, and stay as they are");
  return result;
}

}  // namespace quern::model
