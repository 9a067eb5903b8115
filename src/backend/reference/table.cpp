// The reference backend: plain loops that accumulate in double. It is the definition every other table is
// tested against, and the fallback for what they decline.
#include "backend/api/backend.h"
#include "backend/reference/kernels.h"

namespace quern::backend {

namespace {
constexpr KernelTable kTable = {
    .name = "reference",
    .gemm = reference::gemm,
    .linear_rows = reference::linear_rows,
    .decode_rows = reference::decode_rows,
    .pack_strips = nullptr,
    .linear_blocks = reference::linear_blocks,
    .embedding = reference::embedding,
    .embedding_backward = reference::embedding_backward,
    .norm = reference::norm,
    .norm_backward = reference::norm_backward,
    .activation = reference::activation,
    .activation_backward = reference::activation_backward,
    .gated = reference::gated,
    .gated_backward = reference::gated_backward,
    .rope = reference::rope,
    .store_kv = reference::store_kv,
    .attention = reference::attention,
    .attention_backward = reference::attention_backward,
    .cross_entropy = reference::cross_entropy,
    .binary = reference::binary,
    .axpby = reference::axpby,
    .sum_rows = reference::sum_rows,
    .sum = reference::sum,
    .softmax = reference::softmax,
    .softmax_backward = reference::softmax_backward,
    .dropout = reference::dropout,
    .adamw = reference::adamw,
};
}  // namespace

void register_reference() { add_table(&kTable); }

}  // namespace quern::backend
