#include "convert/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <string_view>

#include "ops/cast.h"

namespace quern::convert {

namespace {

using model::ModelConfig;

constexpr std::string_view kBlocks = "blocks.";

// "blocks.3.mlp.up.weight": layer 3, "mlp.up.weight". No layer for what stands outside of blocks.
struct PlaceInModel {
  std::optional<size_t> layer;
  std::string_view path;
};

PlaceInModel place_of(std::string_view name) {
  if (!name.starts_with(kBlocks)) return {std::nullopt, name};
  const size_t dot = name.find('.', kBlocks.size());
  return {std::stoul(std::string(name.substr(kBlocks.size(), dot - kBlocks.size()))), name.substr(dot + 1)};
}

// Rows of a matrix, or elements of a vector.
Tensor picked_rows(const Tensor& x, const std::vector<int64_t>& rows) {
  const int64_t width = x.numel() / x.dim(0);
  Tensor y(x.shape().with(0, static_cast<int64_t>(rows.size())), DType::f32);
  for (size_t i = 0; i < rows.size(); ++i)
    std::copy_n(x.data<float>() + rows[i] * width, width, y.data<float>() + static_cast<int64_t>(i) * width);
  return y;
}

Tensor picked_columns(const Tensor& x, const std::vector<int64_t>& columns) {
  Tensor y({x.dim(0), static_cast<int64_t>(columns.size())}, DType::f32);
  float* to = y.data<float>();
  for (int64_t r = 0; r < x.dim(0); ++r)
    for (const int64_t column : columns) *to++ = x.data<float>()[r * x.dim(1) + column];
  return y;
}

// Places `each` wide behind one another: of heads, their rows.
std::vector<int64_t> widened(const std::vector<int64_t>& indices, int64_t each) {
  std::vector<int64_t> all;
  for (const int64_t index : indices)
    for (int64_t i = 0; i < each; ++i) all.push_back(index * each + i);
  return all;
}

// What a layer's parameter keeps of rows and columns; nothing: all.
struct Cut {
  std::vector<int64_t> rows = {}, columns = {};
};

Cut cut_of(std::string_view path, const Shape& shape, const KeptLayer& kept, const ModelConfig& whole) {
  const auto any = [&](std::initializer_list<std::string_view> modules) {
    return std::ranges::any_of(modules, [&](std::string_view module) { return path.starts_with(module); });
  };
  if (!kept.channels.empty() && any({"mlp.gate.", "mlp.up."})) return {.rows = kept.channels};
  if (!kept.channels.empty() && path == "mlp.down.weight") return {.columns = kept.channels};
  if (kept.groups.empty()) return {};
  const int64_t key_rows = whole.head_dim, query_rows = whole.heads / whole.kv_heads * key_rows;
  if (path == "attention.o.weight") return {.columns = widened(kept.groups, query_rows)};
  if (any({"attention.q."})) return {.rows = widened(kept.groups, query_rows)};
  if (any({"attention.k.", "attention.v."})) return {.rows = widened(kept.groups, key_rows)};
  // Norms of each head are the same for all of them, unless they are over the width of all (OLMo 2).
  if (any({"attention.q_norm."}) && shape[0] == whole.heads * key_rows)
    return {.rows = widened(kept.groups, query_rows)};
  if (any({"attention.k_norm."}) && shape[0] == whole.kv_heads * key_rows)
    return {.rows = widened(kept.groups, key_rows)};
  return {};
}

Tensor cut(const Tensor& x, const Cut& how) {
  if (how.rows.empty() && how.columns.empty()) return x;
  const Tensor wide = ops::cast(x, DType::f32);
  return how.rows.empty() ? picked_columns(wide, how.columns) : picked_rows(wide, how.rows);
}

Result<void> check(const ModelConfig& c, const std::vector<KeptLayer>& kept) {
  if (kept.empty()) return make_error(ErrorCode::invalid_argument, "no layer is kept");
  int64_t after = -1;
  for (const KeptLayer& layer : kept) {
    if (layer.layer <= after || layer.layer >= c.layers) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("layer {} is not one of {}, or out of order", layer.layer, c.layers),
                        fmt::format("layers are 0 to {}", c.layers - 1));
    }
    after = layer.layer;
    if (!layer.channels.empty() && c.has_experts(layer.layer))
      return make_error(ErrorCode::unsupported, "channels of experts are not cut",
                        "leave whole layers out, or set single weights to 0");
    if (!layer.groups.empty() && c.positions == model::Positions::alibi)
      return make_error(ErrorCode::unsupported,
                        "heads with ALiBi have a slope by their place among the others",
                        "leave whole layers or channels of MLPs out");
  }
  return {};
}

ModelConfig config_of(const ModelConfig& whole, const std::vector<KeptLayer>& kept) {
  ModelConfig config = whole;
  config.layers = static_cast<int64_t>(kept.size());
  for (std::vector<int64_t>* listed : {&config.dense_layers, &config.nope_layers, &config.full_layers}) {
    std::vector<int64_t> places;
    for (size_t i = 0; i < kept.size(); ++i)
      if (std::ranges::find(*listed, kept[i].layer) != listed->end())
        places.push_back(static_cast<int64_t>(i));
    *listed = places;
  }
  if (const size_t channels = kept.front().channels.size(); channels > 0)
    config.intermediate = static_cast<int64_t>(channels);
  if (const size_t groups = kept.front().groups.size(); groups > 0) {
    config.heads = static_cast<int64_t>(groups) * (whole.heads / whole.kv_heads);
    config.kv_heads = static_cast<int64_t>(groups);
  }
  return config;
}

// The `count` of the least magnitude become 0; of equals the first.
int64_t clear_least(float* values, int64_t size, int64_t count, std::vector<int64_t>& order) {
  order.resize(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  const auto less = [&](int64_t a, int64_t b) {
    const float x = std::fabs(values[a]), y = std::fabs(values[b]);
    return x != y ? x < y : a < b;
  };
  std::nth_element(order.begin(), order.begin() + count, order.end(), less);
  for (int64_t i = 0; i < count; ++i) values[order[static_cast<size_t>(i)]] = 0.0f;
  return count;
}

}  // namespace

Result<model::Decoder> kept_part(const model::Decoder& model, const std::vector<KeptLayer>& kept) {
  const ModelConfig& whole = model.config();
  QUERN_CHECK(check(whole, kept));
  QUERN_TRY(model::Decoder part, model::Decoder::create(config_of(whole, kept)));
  std::map<std::string, Tensor, std::less<>> masters;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    masters[name] = parameter.master().detached();
  });
  part.visit([&](const std::string& name, nn::Parameter& parameter) {
    const PlaceInModel place = place_of(name);
    if (!place.layer) return parameter.assign(masters.at(name));
    const KeptLayer& layer = kept[*place.layer];
    const Tensor& from = masters.at(fmt::format("{}{}.{}", kBlocks, layer.layer, place.path));
    parameter.assign(cut(from, cut_of(place.path, from.shape(), layer, whole)));
  });
  return part;
}

Result<SparsityReport> make_sparse(model::Decoder& model, const Sparsity& sparsity) {
  SparsityReport report;
  Result<void> status;
  std::vector<int64_t> order;
  model.visit([&](const std::string& name, nn::Parameter& parameter) {
    const PlaceInModel place = place_of(name);
    if (!status.ok() || !place.layer || !parameter.is_matrix() ||
        place.path.find("router") != std::string_view::npos)
      return;
    const Tensor values = ops::cast(parameter.master().detached(), DType::f32).clone();
    const int64_t columns = values.dim(-1);
    if (sparsity.of > 0 && columns % sparsity.of != 0) {
      status =
          make_error(ErrorCode::invalid_argument,
                     fmt::format("{} has {} columns, which {} does not divide", name, columns, sparsity.of));
      return;
    }
    const int64_t together = sparsity.of > 0 ? sparsity.of : values.numel();
    const auto least = sparsity.of > 0 ? sparsity.of - sparsity.left
                                       : std::llround(sparsity.share * static_cast<double>(values.numel()));
    for (int64_t begin = 0; begin < values.numel(); begin += together)
      report.zeros += clear_least(values.data<float>() + begin, together, least, order);
    ++report.matrices;
    report.weights += values.numel();
    parameter.assign(values);
  });
  QUERN_CHECK(status);
  return report;
}

}  // namespace quern::convert
