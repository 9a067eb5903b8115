#include "infer/sentence_form.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <system_error>
#include <utility>

#include "base/json.h"

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

Result<std::optional<SentenceForm>> read_sentence_form(const fs::path& folder) {
  const fs::path list = folder / "modules.json";
  if (!is_file(list)) return std::optional<SentenceForm>();
  QUERN_TRY(const nlohmann::json modules, read_json_file(list));
  SentenceForm form;
  for (const nlohmann::json& module : modules.is_array() ? modules : nlohmann::json::array()) {
    const auto text = [&](const char* key) {
      const auto found = module.find(key);
      return found != module.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const std::string type = text("type"), name = type.substr(type.rfind('.') + 1), path = text("path");
    if (path.find("..") != path.npos || path.starts_with('/'))
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}: the path '{}' leads outside", list.string(), path));
    if (name == "Pooling") {
      QUERN_TRY(form.pooling, read_pooling(folder / path / "config.json"));
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

}  // namespace quern::infer
