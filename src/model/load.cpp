#include "model/load.h"

#include <fmt/format.h>

#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "base/json.h"
#include "base/log.h"
#include "formats/hf_folder.h"
#include "model/block_spec.h"
#include "model/families/gguf_names.h"
#include "model/four_bit.h"
#include "model/gguf_config.h"
#include "model/lora.h"
#include "model/tensor_layout.h"
#include "ops/cast.h"

namespace quern::model {

namespace {

// What is wrong with a checkpoint, said once for all its tensors.
class Misfit {
 public:
  void missing(const std::string& name) { note(missing_, name); }
  void unexpected(const std::string& name) { note(unexpected_, name); }
  void misshapen(const std::string& name, const Shape& expected, const std::string& got) {
    note(misshapen_, fmt::format("{} (expected {}, got {})", name, expected.to_string(), got));
  }

  Result<void> check(const std::filesystem::path& path) const {
    std::string text;
    for (const auto& [what, list] :
         {std::pair{"missing", &missing_}, {"of another shape", &misshapen_}, {"unexpected", &unexpected_}}) {
      if (list->count == 0) continue;
      text += fmt::format("{}{} {}: {}", text.empty() ? "" : "; ", list->count, what, list->names);
      if (list->count > kShown) text += ", ...";
    }
    if (text.empty()) return {};
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: tensors that do not fit the model's config: {}", path.string(), text),
                      "are the weights and the config of one model?");
  }

 private:
  static constexpr int kShown = 4;
  struct Names {
    int count = 0;
    std::string names;
  };
  static void note(Names& list, const std::string& name) {
    if (list.count++ < kShown) list.names += (list.count > 1 ? ", " : "") + name;
  }

  Names missing_, misshapen_, unexpected_;
};

// Whether parts of a file's tensor are copies.
bool moves_elements(const TensorName& name) { return name.transposed || (name.groups > 1 && !name.stacked); }

// `name` as it is in `archive`: a matrix that a quantiser packed is [out, in] in every family.
template <class Archive>
TensorName name_in(const Archive& archive, const std::string& entry, TensorName name) {
  if constexpr (requires { archive.is_packed(entry); }) name.transposed &= !archive.is_packed(entry);
  return name;
}

// What a parameter keeps of a mapped tensor. Vectors are f32 always: ops take them wide.
Tensor kept(const Tensor& part, bool is_copy, bool trainable) {
  const bool wide = trainable || part.shape().rank() < 2;
  const Tensor value = wide ? ops::cast(part, DType::f32) : part;
  const bool mapped = !is_copy && value.raw() == part.raw();
  return trainable && mapped ? value.clone() : value;
}

// The tensors of a checkpoint by the names that they have today.
template <class Entry>
class Contents {
 public:
  Contents(const std::vector<Entry>& entries, const Family& family, bool gguf) {
    for (const Entry& entry : entries) by_name_[entry.name] = &entry;
    if (gguf) return;
    prefix_ = family.prefix;
    if (!family.current_name) return;
    for (const Entry& entry : entries) by_name_.try_emplace(family.current_name(entry.name), &entry);
  }

  // Null when there is none, with the family's prefix or without.
  const Entry* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    if (found != by_name_.end()) return found->second;
    if (!name.starts_with(prefix_) || prefix_.empty()) return nullptr;
    const auto bare = by_name_.find(name.substr(prefix_.size()));
    return bare == by_name_.end() ? nullptr : bare->second;
  }

 private:
  std::map<std::string, const Entry*> by_name_;
  std::string_view prefix_;
};

// What `form` makes of tensors that no parameter has.
struct Extras {
  std::function<bool(std::string_view name)> ignored;  // silently
  bool (*of_a_head)(std::string_view name) = nullptr;  // with a warning; null: none
};

template <class Entry>
void check_extras(const std::vector<Entry>& entries, const std::set<std::string>& used, const Extras& extras,
                  Misfit& misfit) {
  std::string heads;
  for (const Entry& entry : entries) {
    if (used.contains(entry.name) || extras.ignored(entry.name)) continue;
    if (extras.of_a_head && extras.of_a_head(entry.name))
      heads += (heads.empty() ? "" : ", ") + entry.name;
    else
      misfit.unexpected(entry.name);
  }
  if (!heads.empty())
    log::warn("model", "weights of other heads than the model's class has are left out: {}", heads);
}

// Gives the tensors of a checkpoint, whatever its format, to the parameters of `model`.
template <class Archive, class Entry>
Result<void> assign(nn::Module& model, const Archive& archive, const std::vector<Entry>& entries,
                    const Contents<Entry>& contents, const std::vector<TensorName>& names,
                    const Extras& extras, bool trainable) {
  std::map<std::string, nn::Parameter*> parameters;
  model.visit([&](const std::string& name, nn::Parameter& parameter) { parameters[name] = &parameter; });
  Misfit misfit;
  std::set<std::string> used;
  for (const TensorName& published : names) {
    const Entry* entry = contents.find(published.file);
    if (!entry) {
      misfit.missing(published.file);
      continue;
    }
    used.insert(entry->name);
    const TensorName name = name_in(archive, entry->name, published);
    std::vector<Shape> shapes;
    for (const std::string& parameter : name.parameters) shapes.push_back(parameters.at(parameter)->shape());
    QUERN_TRY(Tensor tensor, archive.tensor(entry->name));
    const Shape wanted = file_shape(name, shapes);
    if (wanted.rank() == 2 && wanted[0] == 1 && tensor.shape() == Shape{wanted[1]})
      tensor = tensor.reshaped(wanted);
    const bool numbers = is_float(tensor.dtype()) || (is_block(tensor.dtype()) && !name.transposed);
    if (tensor.shape() != wanted || !numbers) {
      misfit.misshapen(entry->name, wanted, entry->describe());
      continue;
    }
    // Bytes without their scales cannot be moved.
    if (has_scales_beside(tensor.dtype()) && moves_elements(name))
      tensor = ops::cast(tensor, ops::plain_dtype(tensor));
    const std::vector<Tensor> parts = split(name, tensor, shapes);
    for (size_t i = 0; i < parts.size(); ++i) {
      nn::Parameter& parameter = *parameters.at(name.parameters[i]);
      parameter.assign(kept(parts[i], moves_elements(name), trainable));
      parameter.set_trainable(trainable);
    }
  }
  check_extras(entries, used, extras, misfit);
  return misfit.check(archive.path());
}

// Rotary frequencies are read with the config; the second form is what old converters left of them.
bool gguf_ignores(std::string_view name) {
  return name.starts_with("rope_") || name.ends_with(".attn_rot_embd");
}

}  // namespace

Result<ModelConfig> load_config(const std::filesystem::path& path) {
  if (formats::is_gguf(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    return read_gguf_config(archive);
  }
  QUERN_TRY(const formats::ModelFolder files, formats::ModelFolder::open(path));
  QUERN_TRY(const nlohmann::json json, read_json_file(files.config()));
  return read_config(json, files.config().string());
}

Result<void> load_weights(nn::Module& model, const ModelConfig& config, const formats::Checkpoint& checkpoint,
                          bool trainable) {
  QUERN_TRY(const Family* family, find_family(config.family));
  const auto ignored = [&](std::string_view name) {
    return family->ignores(name) || checkpoint.is_idle_bias(name);
  };
  return assign(model, checkpoint, checkpoint.entries(), Contents(checkpoint.entries(), *family, false),
                family->tensors(config), {ignored, family->of_a_head}, trainable);
}

Result<void> load_weights(nn::Module& model, const ModelConfig& config, const formats::GgufArchive& archive,
                          bool trainable) {
  QUERN_TRY(const Family* family, find_family(config.family));
  const auto holds = [&](const std::string& file) { return archive.find(file) != nullptr; };
  return assign(model, archive, archive.tensors(), Contents(archive.tensors(), *family, true),
                names_in_file(family->gguf.tensors(config), holds), {gguf_ignores}, trainable);
}

namespace {

Result<void> check_merges(const formats::PeftFolder& folder) {
  if (folder.config.method == formats::PeftMethod::lora) return {};
  if (folder.config.method == formats::PeftMethod::bottleneck) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("{} (bottlenecks) cannot be merged: what stands behind attention and MLP is "
                    "not linear, and is no change of a weight",
                    folder.path.string()),
        "use it beside the model: --adapter");
  }
  return make_error(
      ErrorCode::unsupported,
      fmt::format("{} ({}) cannot be merged: its {} virtual tokens stand before every text, and "
                  "change no weight",
                  folder.path.string(), formats::name_of(folder.config.method), folder.config.tokens.count),
      "use it beside the model: --adapter");
}

template <class Model, class Archive>
Result<Model> load_as(const ModelConfig& config, const Archive& archive, const LoadOptions& options) {
  QUERN_TRY(Model model, Model::create(config));
  QUERN_CHECK(load_weights(model, model.config(), archive, options.trainable));
  if (options.four_bit) QUERN_CHECK(hold_in_nf4(model, config.dtype));
  if (!options.adapter.empty()) {
    QUERN_TRY(const formats::PeftFolder folder, formats::PeftFolder::open(options.adapter));
    QUERN_CHECK(check_merges(folder));
    QUERN_TRY(const nn::LoraAdapter adapter, load_lora(model, model.config(), folder));
    merge_lora(model, adapter, options.merged_dtype);
  }
  model.set_compute_dtype(options.compute_dtype);
  return model;
}

Result<formats::Checkpoint> open_weights(const std::filesystem::path& path) {
  QUERN_TRY(const formats::ModelFolder files, formats::ModelFolder::open(path));
  return formats::Checkpoint::open(files);
}

// An encoder that was trained without its pooler is published without it.
Result<ModelConfig> without_missing_pooler(ModelConfig config, const formats::Checkpoint& archive) {
  if (config.head != Head::none || config.head_activation == ops::Activation::identity) return config;
  QUERN_TRY(const Family* family, find_family(config.family));
  const Contents contents(archive.entries(), *family, false);
  for (const TensorName& name : family->tensors(config)) {
    if (name.parameters.front() != "head_dense.weight" || contents.find(name.file)) continue;
    config.head_activation = ops::Activation::identity;
    break;
  }
  return config;
}

Result<ModelConfig> with_head_of(ModelConfig config, const formats::Checkpoint& archive) {
  QUERN_TRY(const Family* family, find_family(config.family));
  const Contents contents(archive.entries(), *family, false);
  config.tied_embeddings = false;
  std::string table, projection, bias;
  for (const TensorName& name : family->tensors(config)) {
    if (name.parameters.front() == "encoder.embedding.weight") table = name.file;
    if (name.parameters.front() == "decoder.head.weight") projection = name.file;
    if (name.parameters.front() == "decoder.head.bias") bias = name.file;
  }
  config.head_bias = config.head_bias && contents.find(bias) != nullptr;
  config.tied_embeddings = contents.find(projection) == nullptr;
  if (config.tied_embeddings || contents.find(table) == nullptr) return config;
  QUERN_TRY(const Tensor embeddings, archive.tensor(contents.find(table)->name));
  QUERN_TRY(const Tensor own, archive.tensor(contents.find(projection)->name));
  config.tied_embeddings = own.shape() == embeddings.shape() && own.dtype() == embeddings.dtype() &&
                           !has_scales_beside(own.dtype()) &&
                           std::memcmp(own.raw(), embeddings.raw(), static_cast<size_t>(own.bytes())) == 0;
  return config;
}

// Of the tensors of a model with a new head, those that a file with `entries` is to fill.
std::vector<TensorName> filled(const std::vector<TensorName>& names, const ModelConfig& from,
                               const ModelConfig& to, const std::function<bool(const std::string&)>& holds) {
  const bool same_outputs = from.head == to.head && from.labels == to.labels;
  std::vector<TensorName> result;
  for (const TensorName& name : names) {
    const std::string& parameter = name.parameters.front();
    const bool outputs = parameter.starts_with("head."), of_head = parameter.starts_with("head");
    if (!of_head || (holds(name.file) && (same_outputs || !outputs))) result.push_back(name);
  }
  return result;
}

// Parameters that no file fills.
std::vector<std::string> unfilled(const nn::Module& model, const std::vector<TensorName>& names) {
  std::set<std::string> known;
  for (const TensorName& name : names) known.insert(name.parameters.begin(), name.parameters.end());
  std::vector<std::string> result;
  nn::visit(model, [&](const std::string& name, const nn::Parameter&) {
    if (!known.contains(name)) result.push_back(name);
  });
  return result;
}

}  // namespace

Result<Encoder> load_encoder(const std::filesystem::path& path, const NewHead& head,
                             const LoadOptions& options, std::vector<std::string>& made) {
  QUERN_TRY(const ModelConfig own, load_config(path));
  QUERN_CHECK(check_kind(own, Kind::encoder));
  QUERN_TRY(ModelConfig config, with_head(own, head));
  QUERN_TRY(const Family* family, find_family(config.family));
  const auto open = [&](const auto& archive, const auto& entries, const auto& contents,
                        const std::vector<TensorName>& all, const Extras& extras) -> Result<Encoder> {
    const std::vector<TensorName> names =
        filled(all, own, config, [&](const std::string& file) { return contents.find(file) != nullptr; });
    QUERN_TRY(Encoder model, Encoder::create(config, head.seed));
    QUERN_CHECK(assign(model, archive, entries, contents, names, extras, options.trainable));
    made = unfilled(model, names);
    model.set_compute_dtype(options.compute_dtype);
    return model;
  };
  if (formats::is_gguf(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    if (head.head == Head::none) config.head_activation = ops::Activation::identity;
    const auto holds = [&](const std::string& file) { return archive.find(file) != nullptr; };
    return open(archive, archive.tensors(), Contents(archive.tensors(), *family, true),
                names_in_file(family->gguf.tensors(config), holds), {gguf_ignores});
  }
  QUERN_TRY(const formats::Checkpoint archive, open_weights(path));
  QUERN_TRY(config, without_missing_pooler(config, archive));
  const auto ignored = [&](std::string_view name) {
    return family->ignores(name) || archive.is_idle_bias(name);
  };
  return open(archive, archive.entries(), Contents(archive.entries(), *family, false),
              family->tensors(config), {ignored, family->of_a_head});
}

Result<EncoderDecoder> load_encoder_decoder(const std::filesystem::path& path, const LoadOptions& options) {
  QUERN_TRY(const ModelConfig config, load_config(path));
  QUERN_CHECK(check_kind(config, Kind::encoder_decoder));
  if (formats::is_gguf(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    QUERN_TRY(EncoderDecoder model, load_as<EncoderDecoder>(config, archive, options));
    if (options.pack) {
      model.encoder().pack();
      model.decoder().pack();
      archive.release();
    }
    return model;
  }
  QUERN_TRY(const formats::Checkpoint archive, open_weights(path));
  QUERN_TRY(const ModelConfig held, with_head_of(config, archive));
  return load_as<EncoderDecoder>(held, archive, options);
}

Result<Decoder> load_model(const std::filesystem::path& path, const LoadOptions& options) {
  if (formats::is_gguf(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    QUERN_TRY(const ModelConfig config, read_gguf_config(archive));
    QUERN_TRY(Decoder model, load_as<Decoder>(config, archive, options));
    if (options.pack) {
      model.pack();
      archive.release();
    }
    return model;
  }
  QUERN_TRY(const ModelConfig config, load_config(path));
  QUERN_CHECK(check_writes(config));
  QUERN_TRY(const formats::Checkpoint archive, open_weights(path));
  QUERN_TRY(Decoder model, load_as<Decoder>(config, archive, options));
  if (options.pack) model.pack();
  return model;
}

Result<RewardModel> load_reward_model(const std::filesystem::path& path, const LoadOptions& options) {
  QUERN_TRY(const ModelConfig config, load_config(path));
  if (config.scores()) {
    QUERN_TRY(const formats::Checkpoint archive, open_weights(path));
    return load_as<RewardModel>(config, archive, options);
  }
  QUERN_TRY(Decoder decoder, load_model(path, options));
  decoder.drop_head();
  RewardModel model(std::make_shared<Decoder>(std::move(decoder)));
  model.score().set_trainable(options.trainable);
  return model;
}

Result<Encoder> load_encoder(const std::filesystem::path& path, const LoadOptions& options) {
  if (formats::is_gguf(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    QUERN_TRY(const ModelConfig config, read_gguf_config(archive));
    QUERN_TRY(Encoder model, load_as<Encoder>(config, archive, options));
    if (options.pack) {
      model.pack();
      archive.release();
    }
    return model;
  }
  QUERN_TRY(const ModelConfig config, load_config(path));
  QUERN_CHECK(check_kind(config, Kind::encoder));
  QUERN_TRY(const formats::Checkpoint archive, open_weights(path));
  QUERN_TRY(const ModelConfig held, without_missing_pooler(config, archive));
  return load_as<Encoder>(held, archive, options);
}

}  // namespace quern::model
