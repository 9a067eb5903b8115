#include "infer/sentence_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "formats/gguf/archive.h"

namespace quern::infer {

namespace fs = std::filesystem;

namespace {

// Switches of the pooling module, in the order in which their vectors follow each other, and their names since
// version 5.
struct PoolingName {
  const char* key;
  std::string_view name;
  Pooling pooling;
};
constexpr std::array<PoolingName, 6> kPoolings{{
    {"pooling_mode_cls_token", "cls", Pooling::cls},
    {"pooling_mode_max_tokens", "max", Pooling::max},
    {"pooling_mode_mean_tokens", "mean", Pooling::mean},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
    {"pooling_mode_weightedmean_tokens", "weightedmean", Pooling::weighted_mean},
    {"pooling_mode_lasttoken", "lasttoken", Pooling::last},
}};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

Result<std::vector<Pooling>> read_pooling(const fs::path& path) {
  QUERN_TRY(const nlohmann::json json, read_json_file(path));
  std::vector<Pooling> found;
  const auto mode = json.find("pooling_mode");
  for (const PoolingName& row : kPoolings) {
    const auto listed = [&](const nlohmann::json& value) {
      return value.is_string() && value.get_ref<const std::string&>() == row.name;
    };
    bool chosen = false;
    if (mode != json.end()) {
      chosen = listed(*mode);
      for (const nlohmann::json& one : mode->is_array() ? *mode : nlohmann::json::array())
        chosen = chosen || listed(one);
    } else {
      const auto key = json.find(row.key);
      chosen = key != json.end() && *key == true;
    }
    if (chosen) found.push_back(row.pooling);
  }
  if (found.empty())
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: no way of pooling that Quern has", path.string()));
  return found;
}

// pooling_type of GGUF.
struct PoolingType {
  int64_t type;
  Pooling pooling;
};
constexpr std::array<PoolingType, 3> kPoolingTypes{
    {{1, Pooling::mean}, {2, Pooling::cls}, {3, Pooling::last}}};
constexpr int64_t kNoPooling = 0;
constexpr const char* kNormalize = "quern.embedding.normalize";
constexpr const char* kLongest = "quern.embedding.max_tokens";

Result<std::string> pooling_key(const formats::GgufMetadata& metadata) {
  QUERN_TRY(const std::string architecture, metadata.get<std::string>("general.architecture"));
  return architecture + ".pooling_type";
}

Result<std::optional<SentenceForm>> read_gguf_form(const formats::GgufMetadata& metadata) {
  QUERN_TRY(const std::string key, pooling_key(metadata));
  QUERN_TRY(const int64_t type, metadata.get_or<int64_t>(key, kNoPooling));
  if (type == kNoPooling) return std::optional<SentenceForm>();
  const auto found = std::ranges::find(kPoolingTypes, type, &PoolingType::type);
  if (found == kPoolingTypes.end()) {
    return make_error(ErrorCode::unsupported, fmt::format("gguf: {} is {}, which Quern has not", key, type),
                      "it knows 1 (mean), 2 (cls) and 3 (last); --pooling goes past the file");
  }
  SentenceForm form{.pooling = {found->pooling}};
  QUERN_TRY(form.normalize, metadata.get_or<bool>(kNormalize, true));
  QUERN_TRY(form.longest, metadata.get_or<int64_t>(kLongest, 0));
  return std::optional(form);
}

Result<void> read_limits(const fs::path& path, SentenceForm& form) {
  if (!is_file(path)) return {};
  QUERN_TRY(const nlohmann::json json, read_json_file(path));
  const auto longest = json.find("max_seq_length");
  if (longest != json.end() && longest->is_number_integer()) form.longest = longest->get<int64_t>();
  if (const auto lower = json.find("do_lower_case"); lower != json.end() && *lower == true) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: do_lower_case is not supported", path.string()),
                      "most tokenizers lower the case themselves: set it to false if yours does");
  }
  return {};
}

}  // namespace

Result<std::optional<SentenceForm>> read_sentence_form(const fs::path& path) {
  if (is_file(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    return read_gguf_form(archive.metadata());
  }
  const fs::path& folder = path;
  const fs::path list = folder / "modules.json";
  if (!is_file(list)) return std::optional<SentenceForm>();
  QUERN_TRY(const nlohmann::json modules, read_json_file(list));
  SentenceForm form;
  for (const nlohmann::json& module : modules.is_array() ? modules : nlohmann::json::array()) {
    const auto text = [&](const char* key) {
      const auto found = module.find(key);
      return found != module.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const std::string type = text("type"), name = type.substr(type.rfind('.') + 1), inside = text("path");
    if (inside.find("..") != inside.npos || inside.starts_with('/'))
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}: the path '{}' leads outside", list.string(), inside));
    if (name == "Pooling") {
      QUERN_TRY(form.pooling, read_pooling(folder / inside / "config.json"));
    } else if (name == "Normalize") {
      form.normalize = true;
    } else if (name != "Transformer") {
      return make_error(ErrorCode::unsupported,
                        fmt::format("{}: a module of type '{}' is not supported", list.string(), type),
                        "Quern knows Transformer, Pooling and Normalize; --pooling goes past the list");
    }
  }
  QUERN_CHECK(read_limits(folder / "sentence_bert_config.json", form));
  return std::optional(form);
}

Result<void> write_sentence_form(const SentenceForm& form, int64_t hidden, const fs::path& folder) {
  const auto module = [](int index, const char* path, std::string_view name) {
    return nlohmann::ordered_json{{"idx", index},
                                  {"name", std::to_string(index)},
                                  {"path", path},
                                  {"type", fmt::format("sentence_transformers.models.{}", name)}};
  };
  constexpr const char *kPooling = "1_Pooling", *kLength = "2_Normalize";
  nlohmann::ordered_json modules{module(0, "", "Transformer"), module(1, kPooling, "Pooling")};
  if (form.normalize) modules.push_back(module(2, kLength, "Normalize"));
  nlohmann::ordered_json pooling{{"word_embedding_dimension", hidden}};
  for (const PoolingName& row : kPoolings)
    pooling[row.key] = std::ranges::find(form.pooling, row.pooling) != form.pooling.end();
  QUERN_CHECK(make_directories(folder / kPooling));
  if (form.normalize) QUERN_CHECK(make_directories(folder / kLength));
  QUERN_CHECK(write_file_atomic(folder / kPooling / "config.json", pooling.dump(2) + "\n"));
  if (form.longest > 0) {
    const nlohmann::ordered_json limits{{"max_seq_length", form.longest}, {"do_lower_case", false}};
    QUERN_CHECK(write_file_atomic(folder / "sentence_bert_config.json", limits.dump(2) + "\n"));
  }
  return write_file_atomic(folder / "modules.json", modules.dump(2) + "\n");
}

Result<void> write_sentence_form(const SentenceForm& form, formats::GgufMetadata& metadata) {
  const auto found = form.pooling.size() == 1
                         ? std::ranges::find(kPoolingTypes, form.pooling[0], &PoolingType::pooling)
                         : kPoolingTypes.end();
  if (found == kPoolingTypes.end()) {
    return make_error(ErrorCode::unsupported, "GGUF has no type for this way of pooling",
                      "it has mean, cls and last");
  }
  QUERN_TRY(const std::string key, pooling_key(metadata));
  metadata.set(key, static_cast<uint32_t>(found->type));
  if (!form.normalize) metadata.set(kNormalize, false);
  if (form.longest > 0) metadata.set(kLongest, static_cast<uint32_t>(form.longest));
  return {};
}

}  // namespace quern::infer
