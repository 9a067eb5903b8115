// The reference kernels, one per slot of the kernel table; contracts in backend/api/kernel_table.h.
#pragma once

#include "backend/api/kernel_table.h"

namespace quern::backend::reference {

bool gemm(const GemmArgs& args);
bool linear_rows(const LinearRowsArgs& args);
bool decode_rows(const DecodeRowsArgs& args);
bool linear_blocks(const LinearBlocksArgs& args);
bool embedding(const EmbeddingArgs& args);
bool embedding_backward(const EmbeddingBackwardArgs& args);
bool norm(const NormArgs& args);
bool norm_backward(const NormBackwardArgs& args);
bool activation(const ActivationArgs& args);
bool activation_backward(const ActivationBackwardArgs& args);
bool gated(const GatedArgs& args);
bool gated_backward(const GatedBackwardArgs& args);
bool rope(const RopeArgs& args);
bool store_kv(const StoreKvArgs& args);
bool attention(const AttentionArgs& args);
bool attention_backward(const AttentionBackwardArgs& args);
bool cross_entropy(const CrossEntropyArgs& args);
bool binary(const BinaryArgs& args);
bool axpby(const AxpbyArgs& args);
bool sum_rows(const SumRowsArgs& args);
bool sum(const SumArgs& args);
bool softmax(const SoftmaxArgs& args);
bool softmax_backward(const SoftmaxBackwardArgs& args);
bool dropout(const DropoutArgs& args);
bool adamw(const AdamWArgs& args);

}  // namespace quern::backend::reference
