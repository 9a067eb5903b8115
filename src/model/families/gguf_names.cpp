#include "model/families/gguf_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace quern::model {

namespace {

// `text` with `to` in place of `from`; empty without it.
std::string replaced(const std::string& text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  return at == text.npos ? "" : std::string(text).replace(at, from.size(), to);
}

// "blk.0.ffn_up_exps.weight" as "blk.0.ffn_up.2.weight": what files of Mixtral were at first.
std::string single_expert(const std::string& stacked, size_t expert) {
  return replaced(stacked, "_exps.", fmt::format(".{}.", expert));
}

// The gates of experts in one stack with what they open: of the name of the gates.
std::optional<TensorName> gate_beside_up(const TensorName& gates, const std::vector<TensorName>& names) {
  const std::string file = replaced(gates.file, ".ffn_gate_exps.", ".ffn_gate_up_exps.");
  const auto ups =
      std::ranges::find(names, replaced(gates.file, ".ffn_gate_exps.", ".ffn_up_exps."), &TensorName::file);
  if (file.empty() || ups == names.end()) return std::nullopt;
  TensorName both{.file = file, .parameters = {}, .stacked = true, .groups = 2};
  for (size_t e = 0; e < gates.parameters.size(); ++e) {
    both.parameters.push_back(gates.parameters[e]);
    both.parameters.push_back(ups->parameters[e]);
  }
  return both;
}

}  // namespace

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

std::vector<TensorName> names_in_file(const std::vector<TensorName>& names,
                                      const std::function<bool(const std::string& file)>& holds) {
  constexpr std::string_view kParts[] = {".attn_q.", ".attn_k.", ".attn_v."}, kJoined = ".attn_qkv.";
  std::vector<TensorName> result;
  for (const TensorName& name : names) {
    if (holds(name.file)) {
      result.push_back(name);
      continue;
    }
    if (name.stacked && holds(single_expert(name.file, 0))) {
      for (size_t e = 0; e < name.parameters.size(); ++e)
        result.push_back({single_expert(name.file, e), {name.parameters[e]}});
      continue;
    }
    if (const auto both = gate_beside_up(name, names); both && holds(both->file)) {
      result.push_back(*both);
      continue;
    }
    if (holds(replaced(name.file, ".ffn_up_exps.", ".ffn_gate_up_exps."))) continue;
    if (name.parameters.size() == 3 && holds(replaced(name.file, kJoined, kParts[0]))) {
      for (size_t i = 0; i < 3; ++i)
        result.push_back({replaced(name.file, kJoined, kParts[i]), {name.parameters[i]}});
      continue;
    }
    TensorName joined;
    for (const std::string_view part : kParts) {
      if (const std::string file = replaced(name.file, part, kJoined); holds(file)) joined.file = file;
    }
    if (joined.file.empty()) {
      result.push_back(name);
      continue;
    }
    const auto begun = std::ranges::find(result.rbegin(), result.rend(), joined.file, &TensorName::file);
    if (begun == result.rend())
      result.push_back({joined.file, name.parameters});
    else
      begun->parameters.push_back(name.parameters.front());
  }
  return result;
}

}  // namespace quern::model
