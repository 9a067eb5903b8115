#include "model/save.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/file.h"
#include "base/interrupt.h"
#include "formats/packed/bitsandbytes.h"
#include "formats/safetensors.h"
#include "model/family.h"
#include "model/four_bit.h"
#include "model/gguf_config.h"
#include "model/tensor_layout.h"
#include "ops/cast.h"
#include "quant/nf4.h"
#include "tensor/block_formats.h"

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
    const Tensor& master = masters.at(parameter);
    // Rows are moved as bytes, which need their scales among them.
    const Tensor own = has_scales_beside(master.dtype()) ? ops::cast(master, dtype) : master;
    const Tensor part = relaid(own, parameter, from, to);
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
  if (has_scales_beside(first.dtype())) return ops::plain_dtype(first);  // GGUF has no such type
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

// The tensors of a file that hold what `name` says, from the masters of a model that becomes one of `to`.
using MakeTensors = std::function<Result<std::vector<formats::NamedTensor>>(
    const TensorName& name, const std::map<std::string, Tensor>& masters, const ModelConfig& to)>;

// Writes `model`, the model that `own` describes, its config with `more`.
Result<void> save(const nn::Module& model, const ModelConfig& own, const std::filesystem::path& folder,
                  DType dtype, Progress* progress, const MakeTensors& make,
                  const nlohmann::ordered_json& more = nlohmann::ordered_json::object()) {
  ModelConfig config = hf_layout(own);
  config.dtype = dtype;
  QUERN_TRY(nlohmann::ordered_json json, write_config(config));
  json.update(more);
  QUERN_TRY(const Family* family, find_family(config.family));
  const std::map<std::string, Tensor> masters = masters_of(model);
  std::vector<formats::NamedTensor> tensors;
  const std::vector<TensorName> names = family->tensors(config);
  std::optional<ProgressScope> scope;
  if (progress) scope.emplace(*progress, "convert", static_cast<int64_t>(names.size()), "tensors");
  int64_t done = 0;
  for (const TensorName& name : names) {
    QUERN_TRY(std::vector<formats::NamedTensor> made, make(name, masters, config));
    std::ranges::move(made, std::back_inserter(tensors));
    if (!scope) continue;
    throw_if_interrupted();
    scope->update(++done);
  }
  scope.reset();
  QUERN_CHECK(make_directories(folder));
  QUERN_CHECK(formats::write_weights(folder, std::move(tensors)));
  return write_file_atomic(folder / "config.json", json.dump(2) + "\n");
}

// The same with one tensor of `dtype` for each name.
Result<void> save(const nn::Module& model, const ModelConfig& own, const std::filesystem::path& folder,
                  DType dtype, Progress* progress) {
  const auto make = [&](const TensorName& name, const std::map<std::string, Tensor>& masters,
                        const ModelConfig& to) -> Result<std::vector<formats::NamedTensor>> {
    return std::vector<formats::NamedTensor>{{name.file, file_tensor(name, masters, own, to, dtype)}};
  };
  return save(model, own, folder, dtype, progress, make);
}

// How transformers is told of NF4. `skipped`: linear maps that are not.
nlohmann::ordered_json nf4_settings(DType dtype, const std::vector<std::string>& skipped) {
  nlohmann::ordered_json settings = {{"quant_method", "bitsandbytes"},
                                     {"load_in_4bit", true},
                                     {"load_in_8bit", false},
                                     {"bnb_4bit_quant_type", "nf4"},
                                     {"bnb_4bit_use_double_quant", true},
                                     {"bnb_4bit_quant_storage", "uint8"},
                                     {"bnb_4bit_compute_dtype", dtype == DType::bf16  ? "bfloat16"
                                                                : dtype == DType::f16 ? "float16"
                                                                                      : "float32"},
                                     {"llm_int8_skip_modules", nullptr}};
  if (!skipped.empty()) settings["llm_int8_skip_modules"] = skipped;
  return {{"quantization_config", std::move(settings)}};
}

}  // namespace

Result<void> save_model(const Decoder& model, const std::filesystem::path& folder) {
  return save_model(model, folder, model.config().dtype);
}

Result<void> save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress) {
  return save(model, model.config(), folder, dtype, progress);
}

Result<void> save_model_in_nf4(const Decoder& model, const std::filesystem::path& folder, DType dtype,
                               Progress* progress, const MadeFourBit& made) {
  const ModelConfig& own = model.config();
  if (own.experts > 0) {
    return make_error(ErrorCode::unsupported, "a mixture of experts cannot be written in NF4",
                      "transformers packs no experts: quantise it to a type of GGUF");
  }
  QUERN_TRY(const Family* family, find_family(own.family));
  std::map<std::string, Shape> shapes;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    shapes[name] = parameter.shape();
  });
  const auto is_linear = [&](const TensorName& name) {
    return std::ranges::all_of(name.parameters, [&](const std::string& parameter) {
      return is_layer_matrix(parameter, shapes.at(parameter));
    });
  };
  const auto is_packed = [&](const TensorName& name) {
    return is_linear(name) && shapes.at(name.parameters.front())[1] % BlockNF4::kElements == 0;
  };
  // Whoever names modules to skip must name the head, too.
  std::vector<std::string> skipped;
  std::string head = "lm_head";
  for (const TensorName& name : family->tensors(hf_layout(own))) {
    const std::string module = name.file.substr(0, name.file.rfind('.'));
    if (name.parameters.front() == "head.weight") head = module;
    if (is_linear(name) && !is_packed(name)) skipped.push_back(module);
  }
  if (!skipped.empty()) skipped.push_back(head);
  const auto make = [&](const TensorName& name, const std::map<std::string, Tensor>& masters,
                        const ModelConfig& to) -> Result<std::vector<formats::NamedTensor>> {
    if (!is_packed(name))
      return std::vector<formats::NamedTensor>{{name.file, file_tensor(name, masters, own, to, dtype)}};
    TensorName linear = name;
    linear.transposed = false;  // packed ones are [out, in] in every family
    const Tensor exact = file_tensor(linear, masters, own, to, DType::f32);
    Result<Tensor> coded = quant::quantize_nf4(exact, dtype);
    if (!coded.ok()) return std::move(coded).error().within(name.file);
    if (made) made(name.file, exact, *coded);
    return formats::four_bit_tensors(name.file, *coded);
  };
  return save(model, own, folder, dtype, progress, make, nf4_settings(dtype, skipped));
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
