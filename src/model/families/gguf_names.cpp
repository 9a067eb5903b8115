#include "model/families/gguf_names.h"

namespace quern::model {

std::vector<TensorName> gguf_tensors(const ModelConfig& config, std::vector<ModuleName> others) {
  const ModuleName common[] = {{"token_embd", {"embedding"}},
                               {"position_embd", {"position"}},
                               {"attn_norm", {"attention_norm"}},
                               {"attn_q", {"attention.q"}},
                               {"attn_k", {"attention.k"}},
                               {"attn_v", {"attention.v"}},
                               {"attn_q_norm", {"attention.q_norm"}},
                               {"attn_k_norm", {"attention.k_norm"}},
                               {"attn_output", {"attention.o"}},
                               {"post_attention_norm", {"attention_post_norm"}},
                               {"ffn_norm", {"mlp_norm"}},
                               {"ffn_gate", {"mlp.gate"}},
                               {"ffn_up", {"mlp.up"}},
                               {"ffn_down", {"mlp.down"}},
                               {"ffn_gate_inp", {"mlp.router"}},
                               {"ffn_gate_exps", {"mlp.experts.*.gate"}},
                               {"ffn_up_exps", {"mlp.experts.*.up"}},
                               {"ffn_down_exps", {"mlp.experts.*.down"}},
                               {"ffn_gate_inp_shexp", {"mlp.shared_gate"}},
                               {"ffn_gate_shexp", {"mlp.shared.gate"}},
                               {"ffn_up_shexp", {"mlp.shared.up"}},
                               {"ffn_down_shexp", {"mlp.shared.down"}},
                               {"post_ffw_norm", {"mlp_post_norm"}},
                               {"output_norm", {"final_norm"}},
                               {"output", {"head"}}};
  std::vector<ModuleName> rows = std::move(others);
  rows.insert(rows.end(), std::begin(common), std::end(common));
  return tensor_names(config, "blk.", rows);
}

std::vector<TensorName> gguf_tensors(const ModelConfig& config) { return gguf_tensors(config, {}); }

std::vector<TensorName> gguf_joined_tensors(const ModelConfig& config) {
  return gguf_tensors(config, {{"attn_qkv", {"attention.q", "attention.k", "attention.v"}}});
}

}  // namespace quern::model
