// The reference backend: plain loops that accumulate in double. It is the definition every other table is tested
// against, and the fallback for what they decline.
#include "backend/api/backend.h"
#include "backend/reference/norm.h"

namespace quern::backend {

namespace {
constexpr KernelTable kTable = {
    .name = "reference",
    .gemm = nullptr,
    .linear_rows = nullptr,
    .embedding = nullptr,
    .embedding_backward = nullptr,
    .norm = reference::norm,
    .norm_backward = reference::norm_backward,
    .activation = nullptr,
    .activation_backward = nullptr,
    .gated = nullptr,
    .gated_backward = nullptr,
    .rope = nullptr,
    .attention = nullptr,
    .attention_backward = nullptr,
    .cross_entropy = nullptr,
    .binary = nullptr,
    .axpby = nullptr,
    .sum_rows = nullptr,
    .sum = nullptr,
    .softmax = nullptr,
    .softmax_backward = nullptr,
    .dropout = nullptr,
    .adamw = nullptr,
};
}  // namespace

void register_reference() { add_table(&kTable); }

}  // namespace quern::backend
