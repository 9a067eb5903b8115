#include "model/gguf_rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ops/cast.h"

namespace quern::model {

namespace {

using ops::RopeScaling;

// Divisors of frequencies, for the whole model: those that Llama 3 brought.
constexpr const char* kFrequencies = "rope_freqs.weight";
// Those of longrope.
constexpr const char* kShort = "rope_factors_short.weight";
constexpr const char* kLong = "rope_factors_long.weight";

constexpr int64_t kMaxContext = int64_t{1} << 24;

// What YaRN scales cos and sin by when nothing else is said (arXiv 2309.00071, eq. 22).
double yarn_default(double factor) { return factor <= 1.0 ? 1.0 : 0.1 * std::log(factor) + 1.0; }

// Empty when there is no such tensor.
std::vector<double> divisors_in(GgufKeys& keys, const std::function<Result<Tensor>(std::string_view)>& tensor,
                                const char* name, int64_t rotary) {
  const Result<Tensor> found = tensor(name);
  if (!found.ok()) return {};
  const bool floats = is_float(found->dtype()) && found->numel() == rotary / 2;
  const Tensor values = floats ? found->to(DType::f32) : Tensor::zeros({1});
  std::vector<double> result(values.span<float>().begin(), values.span<float>().end());
  if (!std::ranges::all_of(result, [](double divisor) { return std::isfinite(divisor) && divisor > 0.0; })) {
    keys.fail(make_error(ErrorCode::corrupt, fmt::format("gguf: {} is {}, expected {} floats above 0", name,
                                                         found->describe(), rotary / 2)));
    return {};
  }
  return result;
}

// As Llama 3's own scaling where the numbers are those of the published models: then files of other formats can
// say it.
void set_frequencies(const std::vector<double>& divisors, ops::RopeConfig& rope) {
  ops::RopeConfig llama3 = rope;
  llama3.scaling = RopeScaling::llama3;
  llama3.factor = *std::ranges::max_element(divisors);
  llama3.original_positions = 8192;
  const auto close = [](double a, double b) { return std::fabs(a - b) <= 1e-5 * b; };
  if (std::ranges::equal(divisors, ops::rope_divisors(llama3, 1), close)) {
    rope = llama3;
    return;
  }
  rope.scaling = RopeScaling::longrope;
  rope.original_positions = rope.max_positions;
  rope.attention_factor = 1.0;
  rope.short_factors = rope.long_factors = divisors;
}

}  // namespace

void read_gguf_rope(GgufKeys& keys, const std::function<Result<Tensor>(std::string_view)>& tensor,
                    ModelConfig& config) {
  ops::RopeConfig& rope = config.rope;
  rope.max_positions = config.max_positions;
  rope.rotary = keys.count("rope.dimension_count", 2, config.head_dim, config.head_dim);
  rope.theta = keys.number("rope.freq_base", 10000.0);
  config.local_rope_theta = keys.number("rope.freq_base_swa", config.local_rope_theta, true);
  const double linear = keys.number("rope.scale_linear", 1.0, true);
  const double factor = keys.number("rope.scaling.factor", linear, true);
  if (!keys.finish().ok() || rope.rotary % 2 != 0 || rope.theta <= 1.0) return;  // see validate()

  const std::string type = keys.text("rope.scaling.type", "linear");
  if (type == "linear" && factor != 0.0 && factor != 1.0) {
    rope.scaling = RopeScaling::linear;
    rope.factor = factor;
  } else if (type == "yarn" || type == "longrope") {
    rope.scaling = type == "yarn" ? RopeScaling::yarn : RopeScaling::longrope;
    rope.factor = factor;
    rope.original_positions =
        keys.count("rope.scaling.original_context_length", 1, kMaxContext, config.max_positions);
    rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", rope.beta_fast);
    rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", rope.beta_slow);
  } else if (type != "none" && type != "linear") {
    keys.wrong("rope.scaling.type", "none | linear | yarn | longrope");
  }
  if (rope.scaling == RopeScaling::yarn && keys.has("rope.scaling.attn_factor")) {
    rope.attention_factor = keys.number("rope.scaling.attn_factor", {}) * yarn_default(factor);
  }
  // Files name the scaling by its tensors alone, too.
  rope.short_factors = divisors_in(keys, tensor, kShort, rope.rotary);
  rope.long_factors = divisors_in(keys, tensor, kLong, rope.rotary);
  if (!rope.short_factors.empty() || !rope.long_factors.empty()) {
    rope.scaling = RopeScaling::longrope;
    rope.original_positions =
        keys.count("rope.scaling.original_context_length", 1, kMaxContext, config.max_positions);
    rope.factor = static_cast<double>(rope.max_positions) / static_cast<double>(rope.original_positions);
    rope.attention_factor = keys.number("rope.scaling.attn_factor", 1.0);
  }
  const std::vector<double> divisors = divisors_in(keys, tensor, kFrequencies, rope.rotary);
  if (divisors.empty()) return;
  if (rope.scaling == RopeScaling::none) return set_frequencies(divisors, rope);
  keys.wrong("rope.scaling.type", fmt::format("none beside {}", kFrequencies));
}

namespace {

formats::GgufEntry frequencies_entry(const char* name, const std::vector<double>& divisors) {
  const std::vector<float> values(divisors.begin(), divisors.end());
  const Tensor tensor = Tensor::from(values, {static_cast<int64_t>(values.size())});
  return {name, tensor.shape(), DType::f32, [tensor] { return Result<Tensor>(tensor); }};
}

}  // namespace

Result<void> write_gguf_rope(const ModelConfig& config, const Family& family, formats::GgufContents& file) {
  const ops::RopeConfig& rope = config.rope;
  const auto put = [&](std::string_view key, formats::GgufValue value) {
    file.metadata.set(fmt::format("{}.{}", family.gguf.architecture, key), std::move(value));
  };
  put("rope.dimension_count", static_cast<uint32_t>(rope.rotary));
  put("rope.freq_base", static_cast<float>(rope.theta));
  if (config.window > 0 && family.defaults().local_rope_theta > 0.0) {
    const double local = config.local_rope_theta > 0.0 ? config.local_rope_theta : rope.theta;
    put("rope.freq_base_swa", static_cast<float>(local));
  }
  // At position 0 the cosine is the factor on all.
  const float attention_factor = ops::RopeTable(rope, 0, 1, 1).cos().data<float>()[0];
  const auto scaled = [&](const char* type) {
    put("rope.scaling.type", std::string(type));
    put("rope.scaling.factor", static_cast<float>(rope.factor));
    if (rope.scaling == RopeScaling::linear) return;
    put("rope.scaling.original_context_length", static_cast<uint32_t>(rope.original_positions));
  };
  switch (rope.scaling) {
    case RopeScaling::none:
    case RopeScaling::ntk:  // no file can say it, as whoever compares what it says will notice
      return {};
    case RopeScaling::linear:
      scaled("linear");
      return {};
    case RopeScaling::yarn:
      if (!rope.truncate) {
        return make_error(ErrorCode::invalid_argument,
                          "a GGUF file cannot say rope.truncate = false of YaRN");
      }
      scaled("yarn");
      put("rope.scaling.yarn_beta_fast", static_cast<float>(rope.beta_fast));
      put("rope.scaling.yarn_beta_slow", static_cast<float>(rope.beta_slow));
      if (rope.attention_factor || rope.mscale || rope.mscale_all_dim) {
        put("rope.scaling.attn_factor", attention_factor / static_cast<float>(yarn_default(rope.factor)));
      }
      return {};
    case RopeScaling::llama3:
      file.tensors.push_back(frequencies_entry(kFrequencies, ops::rope_divisors(rope, 1)));
      return {};
    case RopeScaling::longrope:
      if (rope.short_factors == rope.long_factors && attention_factor == 1.0f) {
        file.tensors.push_back(frequencies_entry(kFrequencies, rope.long_factors));
        return {};
      }
      scaled("longrope");
      put("rope.scaling.attn_factor", attention_factor);
      file.tensors.push_back(frequencies_entry(kLong, rope.long_factors));
      file.tensors.push_back(frequencies_entry(kShort, rope.short_factors));
      return {};
  }
  return {};
}

}  // namespace quern::model
