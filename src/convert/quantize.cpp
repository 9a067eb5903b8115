#include "convert/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "convert/hf_target.h"
#include "infer/language.h"
#include "model/load.h"
#include "model/save.h"
#include "ops/cast.h"
#include "quant/quantize.h"
#include "tensor/block_formats.h"

namespace quern::convert {

namespace {

ModelFacts facts_of(const formats::GgufContents& source, bool importance) {
  ModelFacts facts{.tied = source.find("output.weight") == nullptr, .importance = importance};
  facts.architecture = source.metadata.get_or<std::string>("general.architecture", "").value();
  // Where a file has a list for its layers, the first counts.
  const auto count = [&](const char* key) -> int64_t {
    const std::string full = fmt::format("{}.{}", facts.architecture, key);
    if (const auto one = source.metadata.get<int64_t>(full); one.ok()) return *one;
    const auto list = source.metadata.get<std::vector<int64_t>>(full);
    return list.ok() && !list->empty() ? list->front() : 0;
  };
  facts.layers = count("block_count");
  facts.experts = count("expert_count");
  const int64_t heads = count("attention.head_count"), kv_heads = count("attention.head_count_kv");
  if (kv_heads > 0) facts.queries_per_key = heads / kv_heads;
  return facts;
}

bool stands_for(std::string_view module, std::string_view name, bool tied) {
  if (tied && module == "output") module = "token_embd";
  return ("." + std::string(name) + ".").find("." + std::string(module) + ".") != std::string::npos;
}

Result<void> choose_types(const formats::GgufContents& source, const QuantizeOptions& options,
                          QuantizeReport& report) {
  const ModelFacts facts = facts_of(source, !options.importance.empty());
  std::vector<bool> used(options.keep.size());
  for (const formats::GgufEntry& entry : source.tensors) {
    DType wanted = type_in_file(*options.type, entry.name, entry.shape, entry.dtype, facts);
    for (size_t i = 0; i < options.keep.size(); ++i) {
      if (entry.shape.rank() < 2 || !stands_for(options.keep[i].first, entry.name, facts.tied)) continue;
      wanted = options.keep[i].second;
      used[i] = true;
    }
    const DType type = fitting(wanted, entry.shape.cols());
    report.tensors.push_back({entry.name, entry.shape, entry.dtype, wanted, type});
    report.elements += entry.shape.numel();
    report.bytes_before += bytes_of(entry.dtype, entry.shape.numel());
    report.bytes_after += bytes_of(type, entry.shape.numel());
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("no matrix is called {}", options.keep[i].first),
                      "'quern inspect MODEL --tensors' lists the names");
  }
  return {};
}

void measure(const Tensor& exact, const Tensor& coded, QuantizedTensor& result) {
  const Tensor decoded = ops::cast(coded, DType::f32);
  const auto x = exact.span<float>(), y = decoded.span<float>();
  double error = 0.0, square = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double difference = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    error += difference * difference;
    square += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  result.rmse = std::sqrt(error / static_cast<double>(x.size()));
  result.relative = square > 0.0 ? std::sqrt(error / square) : 0.0;
}

}  // namespace

Result<QuantizeReport> quantize(formats::GgufContents source, const QuantizeOptions& options,
                                const std::filesystem::path& path, Progress& progress) {
  QuantizeReport report;
  QUERN_CHECK(choose_types(source, options, report));
  for (size_t i = 0; i < source.tensors.size(); ++i) {
    formats::GgufEntry& entry = source.tensors[i];
    QuantizedTensor& result = report.tensors[i];
    if (result.after == result.before) continue;
    std::span<const float> importance;
    if (const auto at = options.importance.find(entry.name);
        at != options.importance.end() && is_block(result.after)) {
      importance = at->second;
      result.weighted = true;
    }
    entry.dtype = result.after;
    entry.tensor = [before = entry.tensor, &result, importance]() -> Result<Tensor> {
      QUERN_TRY(const Tensor tensor, before());
      const Tensor exact = ops::cast(tensor, DType::f32);
      Result<Tensor> coded = quant::quantize(exact, result.after, importance);
      if (!coded.ok()) return std::move(coded).error().within(result.name);
      measure(exact, *coded, result);
      return coded;
    };
  }
  source.metadata.set("general.file_type", options.type->id);
  QUERN_CHECK(formats::write_gguf(path, source, progress));
  return report;
}

Result<QuantizeReport> quantize_to_nf4(const std::filesystem::path& source,
                                       const std::filesystem::path& folder, bool replace,
                                       Progress& progress) {
  QUERN_TRY(const std::filesystem::path found, find_source(source));
  QUERN_TRY(const infer::Language language, infer::open_language(found));
  QUERN_TRY(const model::Decoder model, model::load_model(found));
  const DType plain = model.config().dtype;
  QuantizeReport report;
  DType before = plain;
  nn::visit(model, [&](const std::string&, const nn::Parameter& parameter) {
    const Tensor& master = parameter.master();
    if (is_block(master.dtype())) before = master.dtype();
    report.elements += master.numel();
    report.bytes_before += master.bytes();
    report.bytes_after += bytes_of(plain, master.numel());
  });
  const auto made = [&](const std::string& name, const Tensor& exact, const Tensor& coded) {
    report.tensors.push_back({name, exact.shape(), before, DType::nf4, DType::nf4});
    measure(exact, coded, report.tensors.back());
    const int64_t scales = coded.numel() / BlockNF4::kElements, groups = (scales + 255) / 256;
    report.bytes_after +=
        coded.bytes() + scales + groups * size_of(DType::f32) - bytes_of(plain, coded.numel());
  };
  QUERN_CHECK(write_hf_folder(folder, replace, language.tokenizer, [&](const std::filesystem::path& to) {
    return model::save_model_in_nf4(model, to, plain, &progress, made);
  }));
  return report;
}

}  // namespace quern::convert
