#include "model/load.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/json.h"
#include "formats/hf_folder.h"
#include "model/gguf_config.h"
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

// What a parameter keeps of a mapped tensor. Vectors are f32 always: ops take them wide.
Tensor kept(const Tensor& part, bool is_copy, bool trainable) {
  const bool wide = trainable || part.shape().rank() < 2;
  const Tensor value = wide ? ops::cast(part, DType::f32) : part;
  const bool mapped = !is_copy && value.raw() == part.raw();
  return trainable && mapped ? value.clone() : value;
}

// The tensors of a checkpoint under the names of `names`, whatever its format.
template <class Archive, class Entries>
Result<void> assign(Decoder& model, const Archive& archive, const Entries& entries,
                    const std::vector<TensorName>& names, std::string_view prefix,
                    bool (*ignores)(std::string_view), bool trainable) {
  std::map<std::string, nn::Parameter*> parameters;
  model.visit([&](const std::string& name, nn::Parameter& parameter) { parameters[name] = &parameter; });
  Misfit misfit;
  std::set<std::string> used;
  for (const TensorName& name : names) {
    const auto* entry = archive.find(name.file);
    if (!entry && name.file.starts_with(prefix)) entry = archive.find(name.file.substr(prefix.size()));
    if (!entry) {
      misfit.missing(name.file);
      continue;
    }
    used.insert(entry->name);
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
    const std::vector<Tensor> parts = split(name, tensor, shapes);
    for (size_t i = 0; i < parts.size(); ++i) {
      nn::Parameter& parameter = *parameters.at(name.parameters[i]);
      parameter.assign(kept(parts[i], name.transposed || name.groups > 1, trainable));
      parameter.set_trainable(trainable);
    }
  }
  for (const auto& entry : entries) {
    if (!used.contains(entry.name) && !ignores(entry.name)) misfit.unexpected(entry.name);
  }
  return misfit.check(archive.path());
}

// Rotary frequencies are read with the config; the second form is what old converters left of them.
bool gguf_ignores(std::string_view name) {
  return name.starts_with("rope_") || name.ends_with(".attn_rot_embd");
}

bool is_gguf(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

}  // namespace

Result<ModelConfig> load_config(const std::filesystem::path& path) {
  if (is_gguf(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    return read_gguf_config(archive);
  }
  QUERN_TRY(const formats::ModelFolder files, formats::ModelFolder::open(path));
  QUERN_TRY(const nlohmann::json json, read_json_file(files.config()));
  return read_config(json, files.config().string());
}

Result<void> load_weights(Decoder& model, const formats::TensorArchive& archive, bool trainable) {
  QUERN_TRY(const Family* family, find_family(model.config().family));
  return assign(model, archive, archive.entries(), family->tensors(model.config()), family->prefix,
                family->ignores, trainable);
}

Result<void> load_weights(Decoder& model, const formats::GgufArchive& archive, bool trainable) {
  QUERN_TRY(const Family* family, find_family(model.config().family));
  return assign(model, archive, archive.tensors(), family->gguf.tensors(model.config()), "", gguf_ignores,
                trainable);
}

Result<Decoder> load_model(const std::filesystem::path& path, const LoadOptions& options) {
  const auto load = [&](const auto& archive, const ModelConfig& config) -> Result<Decoder> {
    QUERN_TRY(Decoder model, Decoder::create(config));
    QUERN_CHECK(load_weights(model, archive, options.trainable));
    model.set_compute_dtype(options.compute_dtype);
    return model;
  };
  if (is_gguf(path)) {
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    QUERN_TRY(const ModelConfig config, read_gguf_config(archive));
    QUERN_TRY(Decoder model, load(archive, config));
    if (options.pack) {
      model.pack();
      archive.release();
    }
    return model;
  }
  QUERN_TRY(const ModelConfig config, load_config(path));
  QUERN_TRY(const formats::ModelFolder files, formats::ModelFolder::open(path));
  QUERN_TRY(const std::filesystem::path weights, files.weights());
  QUERN_TRY(const formats::TensorArchive archive, formats::TensorArchive::open(weights));
  return load(archive, config);
}

}  // namespace quern::model
