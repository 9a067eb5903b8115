#include "model/save.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/file.h"
#include "base/interrupt.h"
#include "formats/safetensors.h"
#include "model/family.h"
#include "model/gguf_config.h"
#include "model/tensor_layout.h"
#include "ops/cast.h"

namespace quern::model {

namespace {

std::map<std::string, Tensor> masters_of(const nn::Module& model) {
  std::map<std::string, Tensor> masters;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    masters[name] = parameter.master().detached();
  });
  return masters;
}

// The tensor of a file, from parameters of a model `from` that becomes one of `to`.
Tensor file_tensor(const TensorName& name, const std::map<std::string, Tensor>& masters,
                   const ModelConfig& from, const ModelConfig& to, DType dtype) {
  std::vector<Tensor> parts;
  for (const std::string& parameter : name.parameters) {
    const Tensor part = relaid(masters.at(parameter), parameter, from, to);
    parts.push_back(part.dtype() == dtype ? part : ops::cast(part, dtype));
  }
  return join(name, parts);
}

// The dtype of a tensor in GGUF.
DType gguf_dtype(const TensorName& name, const std::map<std::string, Tensor>& masters,
                 std::optional<DType> wanted) {
  const Tensor& first = masters.at(name.parameters.front());
  if (first.shape().rank() < 2 || gguf_keeps_wide(name.file)) return DType::f32;
  if (wanted) return *wanted;
  const auto same = [&](const std::string& other) { return masters.at(other).dtype() == first.dtype(); };
  return std::ranges::all_of(name.parameters, same) ? first.dtype() : DType::f16;
}

// `model` is the one that `own` describes, and may have more parameters.
Result<formats::GgufContents> contents_of(const nn::Module& model, const ModelConfig& own,
                                          std::optional<DType> dtype) {
  const ModelConfig config = gguf_layout(own);
  QUERN_TRY(formats::GgufContents contents, write_gguf_config(config));
  QUERN_TRY(const Family* family, find_family(config.family));
  std::map<std::string, Tensor> all = masters_of(model);
  if (own.kind == Kind::encoder_decoder && !own.tied_embeddings)
    all.try_emplace("decoder.head.weight", all.at("encoder.embedding.weight"));
  const auto masters = std::make_shared<const std::map<std::string, Tensor>>(std::move(all));
  for (const TensorName& name : family->gguf.tensors(config)) {
    std::vector<Shape> shapes;
    for (const std::string& parameter : name.parameters) shapes.push_back(masters->at(parameter).shape());
    if (name.file.starts_with("position_embd.")) shapes = {{config.max_positions, config.hidden}};
    const DType kept = gguf_dtype(name, *masters, dtype);
    contents.tensors.push_back(
        {name.file, file_shape(name, shapes), kept, [masters, name, own, config, kept] {
           return Result<Tensor>(file_tensor(name, *masters, own, config, kept));
         }});
  }
  return contents;
}

// Writes `model`, the model that `own` describes.
Result<void> save(const nn::Module& model, const ModelConfig& own, const std::filesystem::path& folder,
                  DType dtype, Progress* progress) {
  ModelConfig config = hf_layout(own);
  config.dtype = dtype;
  QUERN_TRY(const nlohmann::ordered_json json, write_config(config));
  QUERN_TRY(const Family* family, find_family(config.family));
  const std::map<std::string, Tensor> masters = masters_of(model);
  std::vector<formats::NamedTensor> tensors;
  const std::vector<TensorName> names = family->tensors(config);
  std::optional<ProgressScope> scope;
  if (progress) scope.emplace(*progress, "convert", static_cast<int64_t>(names.size()), "tensors");
  for (const TensorName& name : names) {
    tensors.push_back({name.file, file_tensor(name, masters, own, config, dtype)});
    if (!scope) continue;
    throw_if_interrupted();
    scope->update(static_cast<int64_t>(tensors.size()));
  }
  scope.reset();
  QUERN_CHECK(make_directories(folder));
  QUERN_CHECK(formats::write_weights(folder, std::move(tensors)));
  return write_file_atomic(folder / "config.json", json.dump(2) + "\n");
}

}  // namespace

Result<void> save_model(const Decoder& model, const std::filesystem::path& folder) {
  return save_model(model, folder, model.config().dtype);
}

Result<void> save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress) {
  return save(model, model.config(), folder, dtype, progress);
}

Result<void> save_model(const Encoder& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress) {
  return save(model, model.config(), folder, dtype, progress);
}

Result<void> save_model(const EncoderDecoder& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress) {
  return save(model, model.config(), folder, dtype, progress);
}

Result<void> save_model(const RewardModel& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress) {
  return save(model, model.decoder().config(), folder, dtype, progress);
}

Result<formats::GgufContents> gguf_contents(const Decoder& model, std::optional<DType> dtype) {
  return contents_of(model, model.config(), dtype);
}

Result<formats::GgufContents> gguf_contents(const Encoder& model, std::optional<DType> dtype) {
  ModelConfig config = model.config();
  QUERN_CHECK(check_gguf_family(config));
  if (config.head != Head::none && config.head != Head::masked_lm) {
    return make_error(ErrorCode::unsupported, "a GGUF file has encoders without a head, and this one has one",
                      "'quern convert --to hf' keeps the head");
  }
  config.head = Head::none;
  config.head_activation = ops::Activation::identity;
  return contents_of(model, config, dtype);
}

Result<formats::GgufContents> gguf_contents(const EncoderDecoder& model, std::optional<DType> dtype) {
  ModelConfig config = model.config();
  // A tied projection means scaled states in a file: one without has the table a second time.
  if (config.final_state_scale == 1.0) config.tied_embeddings = false;
  return contents_of(model, config, dtype);
}

}  // namespace quern::model
