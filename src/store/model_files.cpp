#include "store/model_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "base/ascii.h"
#include "base/nearest.h"
#include "base/units.h"

namespace quern::store {

namespace {

constexpr size_t kMostChoicesShown = 60;

constexpr std::string_view kCompanions[] = {"config.json",
                                            "generation_config.json",
                                            "tokenizer.json",
                                            "tokenizer_config.json",
                                            "special_tokens_map.json",
                                            "added_tokens.json",
                                            "vocab.json",
                                            "merges.txt",
                                            "vocab.txt",
                                            "tokenizer.model",
                                            "spiece.model",
                                            "spm.model",
                                            "sentencepiece.bpe.model",
                                            "modules.json",
                                            "sentence_bert_config.json",
                                            "config_sentence_transformers.json",
                                            "adapter_config.json",
                                            "model.safetensors.index.json"};

std::string_view folder_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view last_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool is_companion(std::string_view name) {
  return std::ranges::find(kCompanions, name) != std::end(kCompanions) || name.starts_with("chat_template") ||
         name.ends_with(".jinja") || name.ends_with(".tiktoken");
}

// Files that come as GGUF but are no language model of their own.
bool is_side_file(std::string_view name) {
  const std::string text = to_lower(name);
  return text.find("mmproj") != std::string::npos || text.find("imatrix") != std::string::npos;
}

// "PREFIX-00002-of-00003.gguf"
struct SplitName {
  std::string prefix;
  size_t part = 0, parts = 0;
};

std::optional<SplitName> parse_split(std::string_view name) {
  constexpr std::string_view kForm = "-00000-of-00000.gguf";
  if (name.size() <= kForm.size()) return std::nullopt;
  const std::string_view tail = name.substr(name.size() - kForm.size());
  size_t numbers[2] = {0, 0};
  for (size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != '0') {
      if (tail[i] != kForm[i]) return std::nullopt;
      continue;
    }
    if (tail[i] < '0' || tail[i] > '9') return std::nullopt;
    size_t& number = numbers[i < 6 ? 0 : 1];
    number = 10 * number + static_cast<size_t>(tail[i] - '0');
  }
  if (numbers[0] == 0 || numbers[0] > numbers[1]) return std::nullopt;
  return SplitName{std::string(name.substr(0, name.size() - kForm.size())), numbers[0], numbers[1]};
}

// One GGUF model: a file, or the parts of a split one in order.
struct GgufModel {
  std::string title;  // path without the numbers of its parts and without ".gguf"
  std::vector<size_t> files;
  size_t parts = 1;
  uint64_t size = 0;
};

std::vector<GgufModel> gguf_models(std::span<const ListedFile> files) {
  std::map<std::string, GgufModel> models;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& path = files[i].path;
    if (!is_gguf_name(path)) continue;
    const std::optional<SplitName> split = parse_split(path);
    const std::string title = split ? split->prefix : path.substr(0, path.size() - 5);
    GgufModel& model = models[split ? fmt::format("{}/{}", title, split->parts) : path];
    model.title = title;
    model.files.push_back(i);
    model.parts = split ? split->parts : 1;
    model.size += files[i].size;
  }
  std::vector<GgufModel> list;
  for (auto& [key, model] : models) {
    std::ranges::sort(model.files, {}, [&](size_t i) { return files[i].path; });
    list.push_back(std::move(model));
  }
  return list;
}

Error which_one(std::span<const GgufModel> models, std::span<const ListedFile> files, std::string message) {
  std::string list = "append one of these, or a quantisation such as :Q4_K_M";
  for (const GgufModel& model : models.first(std::min(models.size(), kMostChoicesShown))) {
    const std::string parts = model.parts > 1 ? fmt::format(" in {} parts", model.parts) : "";
    list += fmt::format("\n    :{}  ({}{})", files[model.files.front()].path, human_bytes(model.size), parts);
  }
  if (models.size() > kMostChoicesShown)
    list += fmt::format("\n    and {} more", models.size() - kMostChoicesShown);
  return make_error(ErrorCode::invalid_argument, std::move(message), std::move(list));
}

Result<std::vector<ChosenFile>> take(const GgufModel& model, std::span<const ListedFile> files,
                                     std::string_view source) {
  if (model.files.size() != model.parts) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: {} has {} of its {} parts", source, model.title,
                                                      model.files.size(), model.parts));
  }
  std::vector<ChosenFile> chosen;
  for (const size_t i : model.files) chosen.push_back({i, std::string(last_name(files[i].path))});
  return chosen;
}

// Whether `selector` names this model: one of its files, or its quantisation at the end of the title or as a
// folder.
bool is_named(const GgufModel& model, std::span<const ListedFile> files, std::string_view selector) {
  for (const size_t i : model.files) {
    if (files[i].path == selector || last_name(files[i].path) == selector) return true;
  }
  const std::string title = to_lower(model.title), tag = to_lower(selector);
  if (title == tag || last_name(title) == tag || last_name(folder_of(title)) == tag) return true;
  if (!title.ends_with(tag) || title.size() == tag.size()) return false;
  return std::string_view("-._/").find(title[title.size() - tag.size() - 1]) != std::string_view::npos;
}

// The folder nearest to the top that holds config.json beside safetensors.
std::optional<std::string> safetensors_root(std::span<const ListedFile> files) {
  std::optional<std::string> best;
  const auto depth = [](std::string_view folder) {
    return folder.empty() ? 0 : 1 + std::ranges::count(folder, '/');
  };
  for (const ListedFile& file : files) {
    if (!is_safetensors_name(file.path)) continue;
    const std::string folder(folder_of(file.path));
    const std::string config = folder.empty() ? "config.json" : folder + "/config.json";
    const bool has_config = std::ranges::find(files, config, &ListedFile::path) != files.end();
    if (has_config && (!best || depth(folder) < depth(*best))) best = folder;
  }
  return best;
}

// The modules of a sentence encoder lie in folders such as "1_Pooling".
bool is_module_folder(std::string_view folder) {
  const size_t mark = folder.find('_');
  return mark != std::string_view::npos && mark > 0 && folder.find('/') == std::string_view::npos &&
         std::ranges::all_of(folder.substr(0, mark), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_shard(std::string_view name) { return name.starts_with("model-") && is_safetensors_name(name); }

std::vector<ChosenFile> take_folder(std::span<const ListedFile> files, const std::string& root) {
  const size_t skip = root.empty() ? 0 : root.size() + 1;
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(files, [&](const ListedFile& file) {
      return file.path.size() >= skip && folder_of(file.path) == root && last_name(file.path) == name;
    });
  };
  const bool any_shard = std::ranges::any_of(files, [&](const ListedFile& file) {
    return folder_of(file.path) == root && is_shard(last_name(file.path));
  });
  const bool sharded = has("model.safetensors.index.json") && any_shard;
  const bool single = !sharded && has("model.safetensors");
  const auto is_weight = [&](std::string_view name) {
    if (!is_safetensors_name(name)) return false;
    if (name == "adapter_model.safetensors") return true;
    return sharded ? is_shard(name) : !single || name == "model.safetensors";
  };
  std::vector<ChosenFile> chosen;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& path = files[i].path;
    if (!root.empty() && !path.starts_with(root + "/")) continue;
    const std::string_view inside = std::string_view(path).substr(skip);
    const std::string_view folder = folder_of(inside), name = last_name(inside);
    const bool index = name == "model.safetensors.index.json";
    const bool beside = folder.empty() && (is_weight(name) || (is_companion(name) && (!index || sharded)));
    const bool module = is_module_folder(folder) && (name == "config.json" || is_safetensors_name(name));
    const bool templates = folder == "additional_chat_templates" && name.ends_with(".jinja");
    if (beside || module || templates) chosen.push_back({i, std::string(inside)});
  }
  return chosen;
}

Result<std::vector<ChosenFile>> choose_named(std::span<const ListedFile> files,
                                             std::span<const GgufModel> models, std::string_view selector,
                                             std::string_view source) {
  std::vector<GgufModel> named;
  for (const GgufModel& model : models) {
    if (is_named(model, files, selector)) named.push_back(model);
  }
  if (named.size() == 1) return take(named.front(), files, source);
  if (named.size() > 1)
    return which_one(named, files, fmt::format("{}: '{}' fits {} models", source, selector, named.size()));
  std::vector<std::string> known;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& path = files[i].path;
    if (is_safetensors_name(path) && (path == selector || last_name(path) == selector)) {
      return std::vector<ChosenFile>{{i, std::string(last_name(path))}};
    }
    if (path == selector) {
      return make_error(ErrorCode::unsupported,
                        fmt::format("{}: '{}' is no file of weights", source, selector),
                        "expected a .gguf, a .safetensors, an archive, or the folder of a model");
    }
    known.push_back(path);
  }
  const std::string message = fmt::format("{}: there is no '{}'", source, selector);
  if (models.empty()) return make_error(ErrorCode::not_found, message, suggestion(selector, known));
  Error error = which_one(models, files, message);
  error.code = ErrorCode::not_found;
  return error;
}

}  // namespace

bool is_gguf_name(std::string_view path) { return to_lower(path).ends_with(".gguf"); }
bool is_safetensors_name(std::string_view path) { return path.ends_with(".safetensors"); }

Result<std::vector<ChosenFile>> choose_model_files(std::span<const ListedFile> files,
                                                   std::string_view selector, std::string_view source) {
  std::vector<GgufModel> models = gguf_models(files);
  if (!selector.empty()) return choose_named(files, models, selector, source);
  if (const std::optional<std::string> root = safetensors_root(files)) return take_folder(files, *root);
  if (models.size() > 1) {
    std::erase_if(models, [](const GgufModel& model) { return is_side_file(last_name(model.title)); });
  }
  if (models.size() == 1) return take(models.front(), files, source);
  if (!models.empty())
    return which_one(models, files, fmt::format("{} has {} GGUF models", source, models.size()));
  for (size_t i = 0; i < files.size(); ++i) {
    if (is_safetensors_name(files[i].path) && files.size() == 1)
      return std::vector<ChosenFile>{{i, std::string(last_name(files[i].path))}};
  }
  std::string others;
  for (const ListedFile& file : files) {
    const std::string_view name = last_name(file.path);
    if (name.ends_with(".bin") || name.ends_with(".onnx") || name.ends_with(".h5") ||
        name.ends_with(".msgpack") || name.ends_with(".pt") || name.ends_with(".pth"))
      others = fmt::format("; it has weights as {}", name);
  }
  return make_error(
      ErrorCode::unsupported,
      fmt::format("{}: no GGUF, and no config.json with *.safetensors beside it{}", source, others),
      others.empty() ? "" : "look for a repository of the same model as safetensors or GGUF");
}

bool is_model_file(std::string_view path) {
  const std::string_view name = last_name(path);
  return is_gguf_name(name) || is_safetensors_name(name) || is_companion(name);
}

std::vector<std::string> split_parts(std::string_view name) {
  const std::optional<SplitName> split = parse_split(name);
  if (!split) return {std::string(name)};
  std::vector<std::string> names;
  for (size_t part = 1; part <= split->parts; ++part)
    names.push_back(fmt::format("{}-{:05}-of-{:05}.gguf", split->prefix, part, split->parts));
  return names;
}

std::string readable_name(std::string_view file_name) {
  const std::optional<SplitName> split = parse_split(file_name);
  std::string text = to_lower(split ? std::string_view(split->prefix) : file_name);
  for (const std::string_view ending : {".gguf", ".safetensors", ".zip", ".whl", ".tar.gz", ".tgz", ".tar"}) {
    if (text.ends_with(ending)) text.resize(text.size() - ending.size());
  }
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  for (size_t i = 0; i < text.size(); ++i) {
    const bool point = text[i] == '.' && i > 0 && digit(i - 1) && digit(i + 1);
    const bool word =
        std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_' || text[i] == '-';
    if (!point && !word) text[i] = '-';
  }
  while (!text.empty() && text.front() == '-') text.erase(0, 1);
  while (!text.empty() && text.back() == '-') text.pop_back();
  return text.empty() ? "model" : text;
}

}  // namespace quern::store
