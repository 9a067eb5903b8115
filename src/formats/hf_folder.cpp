#include "formats/hf_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

namespace quern::formats {

namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// The first file of `folder`, by name, that ends with one of `suffixes`; "" when none does.
std::string file_ending_with(const fs::path& folder, std::initializer_list<std::string_view> suffixes) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (std::ranges::any_of(suffixes, [&](std::string_view suffix) { return name.ends_with(suffix); })) {
      found.push_back(name);
    }
  }
  return found.empty() ? "" : *std::ranges::min_element(found);
}

Error lacks(const fs::path& folder, std::string_view what, std::string hint) {
  return make_error(ErrorCode::not_found, fmt::format("{} has no {}", folder.string(), what),
                    std::move(hint));
}

Error has_only(const fs::path& folder, std::string_view what, std::string_view found, std::string hint) {
  return make_error(ErrorCode::unsupported,
                    fmt::format("{} has no {}, only {}", folder.string(), what, found), std::move(hint));
}

}  // namespace

Result<ModelFolder> ModelFolder::open(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return make_error(ErrorCode::not_found, fmt::format("there is no model folder {}", path.string()));
  }
  if (!fs::is_directory(path, ignored)) {
    return make_error(ErrorCode::not_found, fmt::format("{} is a file, but no GGUF", path.string()),
                      "give a GGUF file, or the folder that holds config.json and model.safetensors");
  }
  if (is_file(path / kConfigFile)) return ModelFolder(path);
  if (is_file(path / kRunModel / kConfigFile)) return ModelFolder(path / kRunModel);
  if (is_file(path / "adapter_config.json")) {
    return lacks(path, kConfigFile, "it holds an adapter: give the folder of its base model");
  }
  if (const std::string gguf = file_ending_with(path, {".gguf"}); !gguf.empty()) {
    return lacks(path, kConfigFile,
                 fmt::format("it holds {}: give a Hugging Face folder of the model", gguf));
  }
  return lacks(path, kConfigFile, "a model folder holds config.json, model.safetensors and tokenizer.json");
}

Result<fs::path> ModelFolder::weights() const {
  for (const std::string_view name : {kWeightsFile, kWeightsIndexFile}) {
    if (is_file(path_ / name)) return path_ / name;
  }
  const std::string what = fmt::format("{} or {}", kWeightsFile, kWeightsIndexFile);
  if (const std::string shard = file_ending_with(path_, {".safetensors"}); !shard.empty()) {
    return lacks(path_, what, fmt::format("it holds {}: the download may be incomplete", shard));
  }
  const std::string other =
      file_ending_with(path_, {".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf"});
  if (!other.empty()) return has_only(path_, what, other, "convert the weights to safetensors first");
  return lacks(path_, what, "the download or the training run may be incomplete");
}

std::optional<fs::path> ModelFolder::optional(std::string_view name) const {
  return is_file(path_ / name) ? std::optional(path_ / name) : std::nullopt;
}

}  // namespace quern::formats
