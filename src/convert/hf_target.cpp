#include "convert/hf_target.h"

#include <fmt/format.h>

#include <functional>
#include <system_error>

#include "base/file.h"
#include "formats/hf_folder.h"
#include "infer/language.h"
#include "infer/sentence_form.h"
#include "model/load.h"
#include "model/save.h"

namespace quern::convert {

namespace fs = std::filesystem;

namespace {

// What sentence-transformers keeps beside a model: how states, of `hidden` channels, become one vector.
Result<void> copy_sentence_form(const fs::path& from, int64_t hidden, const fs::path& to) {
  std::error_code ignored;
  if (fs::is_regular_file(from, ignored)) {
    QUERN_TRY(const auto form, infer::read_sentence_form(from));
    return form ? infer::write_sentence_form(*form, hidden, to) : Result<void>();
  }
  for (const char* name : {"modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"})
    fs::copy_file(from / name, to / name, ignored);
  for (const fs::directory_entry& entry : fs::directory_iterator(from, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool module = name.size() > 1 && name[0] >= '0' && name[0] <= '9' && name[1] == '_';
    if (!module || !fs::is_directory(entry.path(), ignored)) continue;
    fs::create_directory(to / name, ignored);
    fs::copy_file(entry.path() / formats::kConfigFile, to / name / formats::kConfigFile, ignored);
  }
  return {};
}

// How answers are searched for, where the model says so.
void copy_generation_config(const fs::path& from, const fs::path& to) {
  constexpr const char* kFile = "generation_config.json";
  std::error_code ignored;
  fs::copy_file(from / kFile, to / kFile, ignored);
}

// The model of any kind at `source`, as files in `folder`.
Result<void> save_any(const fs::path& source, const fs::path& folder, std::optional<DType> dtype,
                      const fs::path& adapter, Progress& progress) {
  const auto save = [&](const auto& model) {
    return model::save_model(model, folder, dtype.value_or(model.config().dtype), &progress);
  };
  QUERN_TRY(const model::ModelConfig config, model::load_config(source));
  if (config.kind == model::Kind::encoder) {
    QUERN_TRY(const model::Encoder model,
              model::load_encoder(source, {.adapter = adapter, .merged_dtype = dtype}));
    QUERN_CHECK(save(model));
    return copy_sentence_form(source, config.hidden, folder);
  }
  if (config.kind == model::Kind::encoder_decoder) {
    QUERN_TRY(const model::EncoderDecoder model,
              model::load_encoder_decoder(source, {.adapter = adapter, .merged_dtype = dtype}));
    QUERN_CHECK(save(model));
    copy_generation_config(source, folder);
    return {};
  }
  QUERN_TRY(const model::Decoder model,
            model::load_model(source, {.adapter = adapter, .merged_dtype = dtype}));
  return save(model);
}

// A folder that goes again unless it is renamed.
struct Partial {
  fs::path path;
  ~Partial() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

Result<void> expect_replaceable(const fs::path& folder, bool replace) {
  std::error_code ignored;
  if (fs::exists(folder, ignored) && !(replace && fs::exists(folder / formats::kConfigFile, ignored))) {
    return make_error(ErrorCode::conflict, fmt::format("{} exists", folder.string()),
                      replace ? "it is no model folder: choose another name" : "--force replaces it");
  }
  return {};
}

}  // namespace

Result<void> write_hf_folder(const fs::path& folder, bool replace, const text::Tokenizer& tokenizer,
                             const std::function<Result<void>(const fs::path&)>& save_model) {
  QUERN_CHECK(expect_replaceable(folder, replace));
  std::error_code ignored;
  const Partial partial{folder.parent_path() / fmt::format(".{}.tmp", folder.filename().string())};
  fs::remove_all(partial.path, ignored);
  QUERN_CHECK(save_model(partial.path));
  QUERN_CHECK(tokenizer.save(partial.path));
  fs::remove_all(folder, ignored);
  return rename_durably(partial.path, folder);
}

Result<fs::path> find_source(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  QUERN_TRY(const formats::ModelFolder found, formats::ModelFolder::open(path));
  return found.path();
}

Result<void> save_as_hf(const fs::path& path, const fs::path& folder, std::optional<DType> dtype,
                        bool replace, Progress& progress, const fs::path& adapter) {
  QUERN_CHECK(expect_replaceable(folder, replace));
  QUERN_TRY(const fs::path source, find_source(path));
  QUERN_TRY(const infer::Language language, infer::open_language(source));
  return write_hf_folder(folder, replace, language.tokenizer,
                         [&](const fs::path& to) { return save_any(source, to, dtype, adapter, progress); });
}

Result<void> save_as_hf(const model::Decoder& model, const text::Tokenizer& tokenizer, const fs::path& folder,
                        DType dtype, bool replace, Progress& progress) {
  return write_hf_folder(folder, replace, tokenizer,
                         [&](const fs::path& to) { return model::save_model(model, to, dtype, &progress); });
}

}  // namespace quern::convert
