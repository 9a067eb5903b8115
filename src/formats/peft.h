// Adapters as PEFT publishes them: adapter_config.json beside adapter_model.safetensors. Layout:
// https://huggingface.co/docs/peft/developer_guides/checkpoint. Bottlenecks, which PEFT has not, as AdapterHub's library
// publishes them (formats/adapter_hub.h): a folder of the same first file.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/safetensors.h"

namespace quern::formats {

inline constexpr std::string_view kPeftConfigFile = "adapter_config.json";
inline constexpr std::string_view kPeftWeightsFile = "adapter_model.safetensors";
// Before the path of a module in the names of tensors.
inline constexpr std::string_view kPeftPrefix = "base_model.model.";

// PEFT's task_type of adapters of reward models, which hold the score, a whole tensor (modules_to_save).
inline constexpr std::string_view kScoringTask = "SEQ_CLS";

// PEFT's peft_type: LORA; PROMPT_TUNING, as which P_TUNING is read; PREFIX_TUNING. BOTTLENECK is AdapterHub's.
enum class PeftMethod { lora, prompt, prefix, bottleneck };
std::string_view name_of(PeftMethod method);

// Of methods that put virtual tokens before every text, and of the model they were learnt with.
struct PeftVirtualTokens {
  int64_t count = 20;
  int64_t width = 0;           // token_dim: of an embedding; of a prefix, of one layer's keys
  int64_t layers = 0;          // of the model
  int64_t heads = 0;           // of a prefix: kv-heads
  bool projected = false;      // of a prefix: it was learnt through a two-layer perceptron
  int64_t projection = 0;      // encoder_hidden_size: its inner width
  std::string init_text = {};  // whose tokens the first values were those of; empty: of random tokens
};

// Of bottlenecks, as AdapterHub's BnConfig has them.
struct PeftBottleneck {
  std::string name = "quern";       // the adapter's, in the names of tensors
  int64_t width = 0;                // of what is between the maps; 0: channels / reduction
  double reduction = 16.0;          // reduction_factor
  std::string activation = "relu";  // non_linearity: transformers' name of it
  double scale = 1.0;
  bool attention = true;      // mh_adapter: behind attention
  bool mlp = true;            // output_adapter: behind the MLP
  bool reads_stream = false;  // original_ln_before: the residual stream is added to what enters
  std::map<int64_t, double> layer_reductions = {};  // of layers that have one of their own
  std::vector<int64_t> leave_out = {};              // layers without
  int64_t channels = 0;                             // hidden_size of the model
  std::string family = {};                          // its model_type
  std::string model_class = {};
};

// Settings of an adapter. Those of LoRA: of a module that `ranks` or `alphas` name (by the end of its path), theirs hold.
struct PeftConfig {
  std::string base = {};           // of the model it was trained on; may be empty
  std::string task = "CAUSAL_LM";  // PEFT's task_type; kScoringTask: the adapter of a reward model
  int64_t rank = 8;
  double alpha = 8.0;
  double dropout = 0.0;
  bool rank_stabilised = false;  // scaled by alpha / sqrt(rank), not alpha / rank
  bool magnitudes = false;       // DoRA
  std::vector<std::string> targets =
      {};  // ends of paths; one expression or a word such as all-linear stand alone
  std::map<std::string, int64_t> ranks = {};
  std::map<std::string, double> alphas = {};
  // Tokens with rows of their own (trainable_token_indices), by the ends of the paths of the tables; "": of the embeddings,
  // and of a head that is tied to them.
  std::map<std::string, std::vector<int32_t>> token_rows = {};
  PeftMethod method = PeftMethod::lora;
  PeftVirtualTokens tokens = {};  // of prompt and prefix
  PeftBottleneck bottleneck = {};

  int64_t rank_of(std::string_view module) const;
  double scale_of(std::string_view module, int64_t rank) const;
  bool scores() const { return task == kScoringTask; }
};

// Whether `pattern`, a key of such a map or a target, means the module: its path, or whole names at the end of it, with
// ^ for its start.
bool names_module(std::string_view pattern, std::string_view module);

bool is_peft_folder(const std::filesystem::path& path);

struct PeftFolder {
  PeftConfig config;
  TensorArchive weights;
  std::filesystem::path path;

  // not_found, corrupt, or unsupported: another method, weights that are no safetensors, or what plain LoRA has not (layers
  // that repeat). Keys that are not known are left alone, as the file grows with each release.
  static Result<PeftFolder> open(const std::filesystem::path& path);

  // conflict: the adapter is of another model, as `what` shows.
  Error misfit(const std::string& what) const;
};

// `source` names the file in errors.
Result<PeftConfig> read_peft_config(const nlohmann::json& json, const std::string& source);
nlohmann::ordered_json write_peft_config(const PeftConfig& config);

// Writes the two files to `folder`, made when absent.
Result<void> write_peft_folder(const std::filesystem::path& folder, const PeftConfig& config,
                               std::vector<NamedTensor> tensors);

}  // namespace quern::formats
