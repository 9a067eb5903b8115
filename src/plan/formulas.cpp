#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "plan/report.h"

namespace quern::plan {

std::span<const Formula> formulas() {
  static const std::vector<Formula> all = {
      {"parameters", "counted on the structure that training and generation use", "src/model/decoder.cpp"},
      {"training state",
       "4 P weights + 4 P gradients + 8 P moments (AdamW), + 2 P_matrix copies when computing in 16 bits; "
       "+ 4 V C while the loss makes the head's gradient",
       "Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1 (f32 gradients here)"},
      {"activations",
       "what each op keeps for its backward, summed: inputs of every op, statistics of norms, one "
       "log-sum-exp "
       "per row and head; never T x T, never [B, T, V]",
       "src/plan/activations.cpp; Dao et al. 2022, arXiv 2205.14135; Hsu et al. 2024, arXiv 2410.10989"},
      {"checkpointed activations", "the output of each block, and one block computed again",
       "Chen et al. 2016, arXiv 1604.06174"},
      {"LoRA", "r (in + out) parameters per adapted projection, 16 bytes each; the model frozen",
       "Hu et al. 2021, arXiv 2106.09685"},
      {"QLoRA", "blocks frozen in NF4 with double quantisation: 4 + 8/64 + 32/(64 * 256) = 4.127 bits",
       "Dettmers et al. 2023, arXiv 2305.14314, section 3"},
      {"weights", "q8_0: 34 bytes per 32; q6_k: 210 per 256; q4_k: 144 per 256; vectors in f32",
       "the block formats of GGUF"},
      {"KV cache", "2 L K D numbers per token",
       "Pope et al. 2022, arXiv 2211.05102; Ainslie et al. 2023, "
       "arXiv 2305.13245 (K heads shared by H)"},
      {"forward FLOPs", "2 per weight of a matrix product and token + 4 L H D per key seen",
       "Kaplan et al. 2020, arXiv 2001.08361, table 1"},
      {"training FLOPs", "3 forward passes; a whole training: times tokens (about 6 N D)",
       "Chowdhery et al. 2022, arXiv 2204.02311, appendix B"},
      {"decoding rate", "sequences * bandwidth / (weights + caches): each step reads all of both once",
       "Pope et al. 2022, arXiv 2211.05102"},
      {"time and cost", "training FLOPs / (count * peak * MFU); hours * count * price",
       "MFU as in arXiv 2204.02311; peaks: vendors' data sheets, dense; prices: " + std::string(kPriceLabel) +
           ", yours will differ (--price)"},
      {"Chinchilla law", "L = E + A / N^alpha + B / D^beta; optimum N = G (C/6)^(beta/(alpha+beta))",
       "Hoffmann et al. 2022, arXiv 2203.15556, equations 2 and 4; refit: Besiroglu et al. 2024, arXiv "
       "2404.10102"},
      {"20 tokens per parameter", "N = sqrt(C / 120), D = 20 N",
       "Hoffmann et al. 2022, approaches 1 and 2, table 3"},
      {"Kaplan law",
       "L = ((Nc/N)^(aN/aD) + Dc/D)^aD with N without embeddings; advice N = 1.3e9 PF-days^0.73",
       "Kaplan et al. 2020, arXiv 2001.08361, equation 1.5 and table 6"},
      {"fit", "least mean Huber loss (delta 1e-3) of log predicted - log measured, from a grid of starts",
       "Hoffmann et al. 2022, section 3.3"},
  };
  return all;
}

std::string formulas_text() {
  std::string text =
      "\nFormulas (P parameters, N parameters of a law, D tokens, C FLOPs or channels, L layers, "
      "H heads, K key-value heads, V vocabulary)\n";
  for (const Formula& f : formulas())
    text += fmt::format("  {}: {}\n    source: {}\n", f.what, f.formula, f.source);
  return text;
}

nlohmann::ordered_json formulas_json() {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Formula& f : formulas())
    json.push_back({{"what", f.what}, {"formula", f.formula}, {"source", f.source}});
  return json;
}

}  // namespace quern::plan
