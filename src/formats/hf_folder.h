// A model as Hugging Face publishes it: a folder of config.json, weights and tokenizer files under known
// names. Finds them, and says what to do about a folder that lacks them; does not read them.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace quern::formats {

inline constexpr std::string_view kConfigFile = "config.json";
inline constexpr std::string_view kGenerationConfigFile = "generation_config.json";
inline constexpr std::string_view kTokenizerConfigFile = "tokenizer_config.json";
inline constexpr std::string_view kWeightsFile = "model.safetensors";
inline constexpr std::string_view kWeightsIndexFile = "model.safetensors.index.json";

// Where a training run keeps its model.
inline constexpr std::string_view kRunModel = "model";

class ModelFolder {
 public:
  // `path` itself, or the model of a training run in `path`.
  // not_found when there is no such folder or it has no config.json; the message names what it found instead
  // (a file, an adapter, a GGUF model).
  static Result<ModelFolder> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / kConfigFile; }
  // kWeightsFile, or else kWeightsIndexFile, for TensorArchive::open. not_found, or unsupported when there
  // are only weights of another format.
  Result<std::filesystem::path> weights() const;
  // The files a folder may do without.
  std::optional<std::filesystem::path> tokenizer_config() const { return optional(kTokenizerConfigFile); }
  std::optional<std::filesystem::path> generation_config() const { return optional(kGenerationConfigFile); }

 private:
  explicit ModelFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::optional<std::filesystem::path> optional(std::string_view name) const;

  std::filesystem::path path_;
};

}  // namespace quern::formats
