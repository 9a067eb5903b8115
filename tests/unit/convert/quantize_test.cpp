#include "convert/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "convert/gguf_source.h"
#include "model/load.h"
#include "unit/convert/tiny_folder.h"

namespace quern::convert {
namespace {

QuantizeOptions options(const char* type) {
  QuantizeOptions result;
  result.type = find_file_type(type).value();
  return result;
}

const QuantizedTensor& tensor(const QuantizeReport& report, const std::string& name) {
  return *std::ranges::find(report.tensors, name, &QuantizedTensor::name);
}

TEST(Quantize, WritesAModelThatComputesNearlyTheSame) {
  const std::filesystem::path folder = tiny_folder(256), path = fresh_path("q.gguf");
  const QuantizeReport report =
      quantize(open_as_gguf(folder, std::nullopt).value(), options("q5_k_m"), path, null_progress()).value();
  EXPECT_EQ(report.bytes_after, static_cast<int64_t>([&] {
              const auto archive = formats::GgufArchive::open(path).value();
              uint64_t bytes = 0;
              for (const auto& entry : archive.tensors()) bytes += entry.bytes;
              return bytes;
            }()));
  EXPECT_LT(report.bits_per_weight(), 7.0);
  const QuantizedTensor& values = tensor(report, "blk.0.attn_k.weight");
  EXPECT_EQ(values.after, DType::q5_k);
  EXPECT_GT(values.relative, 0.005);
  EXPECT_LT(values.relative, 0.05);
  EXPECT_EQ(tensor(report, "output_norm.weight").rmse, 0.0);
  const Tensor exact = logits_of(model::load_model(folder).value()),
               got = logits_of(model::load_model(path).value());
  const double scale = largest_difference(exact, Tensor::zeros(exact.shape()));
  EXPECT_LT(largest_difference(got, exact), 0.2 * scale);
  EXPECT_GT(largest_difference(got, exact), 0.0);
}

TEST(Quantize, KeepsSingleModulesAsToldAndUsesImportance) {
  QuantizeOptions chosen = options("q4_0");
  chosen.keep = {{"output", DType::q8_0}, {"blk.1.ffn_down", DType::f16}, {"attn_k", DType::q6_k}};
  chosen.importance["blk.0.ffn_up.weight"] = std::vector<float>(32, 1.0f);
  const QuantizeReport report = quantize(open_as_gguf(tiny_folder(), std::nullopt).value(), chosen,
                                         fresh_path("q.gguf"), null_progress())
                                    .value();
  EXPECT_EQ(tensor(report, "output.weight").after, DType::q8_0);
  EXPECT_EQ(tensor(report, "blk.0.attn_output.weight").after, DType::q4_0) << "not a module called output";
  EXPECT_EQ(tensor(report, "blk.1.ffn_down.weight").after, DType::f16);
  EXPECT_EQ(tensor(report, "blk.0.ffn_down.weight").after, DType::q4_0);
  EXPECT_EQ(tensor(report, "blk.0.attn_k.weight").after, DType::q8_0) << "rows of 32 are no blocks of Q6_K";
  EXPECT_TRUE(tensor(report, "blk.0.ffn_up.weight").weighted);
  EXPECT_FALSE(tensor(report, "blk.1.ffn_up.weight").weighted);
}

TEST(Quantize, CopiesWhatIsOfItsTypeAlready) {
  const std::filesystem::path first = fresh_path("first.gguf"), second = fresh_path("second.gguf");
  quantize(open_as_gguf(tiny_folder(), std::nullopt).value(), options("q4_1"), first, null_progress())
      .value();
  quantize(open_as_gguf(first, std::nullopt).value(), options("q4_1"), second, null_progress()).value();
  EXPECT_EQ(read_file(first).value(), read_file(second).value());
}

TEST(Quantize, NamesWhatDoesNotFit) {
  const std::filesystem::path folder = tiny_folder(), path = fresh_path("q.gguf");
  const auto error = [&](const QuantizeOptions& chosen) {
    return quantize(open_as_gguf(folder, std::nullopt).value(), chosen, path, null_progress())
        .error()
        .message;
  };
  QuantizeOptions chosen = options("q4_0");
  chosen.keep = {{"ffn_downward", DType::q8_0}};
  EXPECT_NE(error(chosen).find("no matrix is called ffn_downward"), std::string::npos);
  chosen = options("q4_0");
  chosen.importance["blk.0.ffn_up.weight"] = {1.0f};
  EXPECT_NE(error(chosen).find("blk.0.ffn_up.weight: expected an importance for each of 32 columns"),
            std::string::npos)
      << error(chosen);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace quern::convert
