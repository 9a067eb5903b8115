#include "eval/pruning_scores.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "eval/observed_passes.h"
#include "ops/cast.h"

namespace quern::eval {

namespace {

// Parameters of a layer by their paths in it.
using LayerParameters = std::unordered_map<std::string, const nn::Parameter*>;

std::vector<LayerParameters> layers_of(const model::Decoder& model) {
  std::vector<LayerParameters> layers(static_cast<size_t>(model.config().layers));
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    constexpr std::string_view kBlocks = "blocks.";
    if (!name.starts_with(kBlocks)) return;
    const size_t dot = name.find('.', kBlocks.size());
    layers[std::stoul(name.substr(kBlocks.size()))][name.substr(dot + 1)] = &parameter;
  });
  return layers;
}

const nn::Parameter* find(const LayerParameters& layer, const std::string& path) {
  const auto found = layer.find(path);
  return found == layer.end() ? nullptr : found->second;
}

// Sums of squares of the rows, or of the columns, of a matrix.
std::vector<double> squares(const nn::Parameter& parameter, bool of_columns) {
  const Tensor w = ops::cast(parameter.master().detached(), DType::f32);
  const int64_t rows = w.dim(0), columns = w.dim(1);
  std::vector<double> sums(static_cast<size_t>(of_columns ? columns : rows), 0.0);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const double value = w.data<float>()[r * columns + c];
      sums[static_cast<size_t>(of_columns ? c : r)] += value * value;
    }
  }
  return sums;
}

void add(std::vector<double>& sums, const std::vector<double>& others) {
  sums.resize(std::max(sums.size(), others.size()));
  for (size_t i = 0; i < others.size(); ++i) sums[i] += others[i];
}

// Neighbours summed, as many as make `groups` of them.
std::vector<double> summed(const std::vector<double>& values, int64_t groups) {
  std::vector<double> sums(static_cast<size_t>(groups), 0.0);
  const size_t each = values.size() / sums.size();
  for (size_t i = 0; i < values.size(); ++i) sums[i / each] += values[i];
  return sums;
}

std::vector<double> roots(std::vector<double> values) {
  for (double& value : values) value = std::sqrt(value);
  return values;
}

// Squares of what enters the maps out of MLPs and attention.
class PassStatistics final : public nn::LinearObserver {
 public:
  void input(const nn::Parameter& weight, const Tensor& x) override {
    const int64_t width = x.dim(-1);
    const Tensor wide = x.to(DType::f32);
    std::vector<double>& sums = squares_[&weight];
    sums.resize(static_cast<size_t>(width));
    const float* values = wide.data<float>();
    for (int64_t i = 0; i < wide.numel(); ++i)
      sums[static_cast<size_t>(i % width)] += double{values[i]} * values[i];
  }

  // The mean squares of what entered `weight`; empty where nothing did.
  std::vector<double> inputs(const nn::Parameter* weight) const {
    const auto found = squares_.find(weight);
    if (found == squares_.end()) return {};
    std::vector<double> means = found->second;
    for (double& mean : means) mean /= static_cast<double>(tokens_);
    return means;
  }
  void count(int64_t tokens) { tokens_ += tokens; }

 private:
  std::unordered_map<const nn::Parameter*, std::vector<double>> squares_;
  int64_t tokens_ = 0;
};

// The norm of what each column of `out` adds, where its input has these mean squares.
std::vector<double> added_by_columns(const nn::Parameter* out, const PassStatistics& seen) {
  std::vector<double> inputs = out ? seen.inputs(out) : std::vector<double>();
  if (inputs.empty()) return {};
  const std::vector<double> weights = squares(*out, true);
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i] *= weights[i];
  return inputs;
}

}  // namespace

PruningScores scores_of_weights(const model::Decoder& model) {
  PruningScores scores;
  const int64_t groups = model.config().kv_heads;
  for (const LayerParameters& layer : layers_of(model)) {
    std::vector<double> channels, heads;
    if (const nn::Parameter* down = find(layer, "mlp.down.weight")) {
      add(channels, squares(*down, true));
      for (const char* path : {"mlp.gate.weight", "mlp.up.weight"})
        if (const nn::Parameter* into = find(layer, path)) add(channels, squares(*into, false));
    }
    for (const char* path : {"attention.q.weight", "attention.k.weight", "attention.v.weight"})
      add(heads, summed(squares(*layer.at(path), false), groups));
    add(heads, summed(squares(*layer.at("attention.o.weight"), true), groups));
    scores.channels.push_back(roots(std::move(channels)));
    scores.groups.push_back(roots(std::move(heads)));
  }
  return scores;
}

Result<PruningScores> scores_over_text(const model::Decoder& model, const EvaluationText& text,
                                       const WindowOptions& options, Progress& progress) {
  PassStatistics seen;
  QUERN_TRY(const ObservedPasses passes,
            observe_passes(model, text, options, seen, "measure", "windows", progress));
  seen.count(passes.tokens);
  PruningScores scores;
  for (const LayerParameters& layer : layers_of(model)) {
    scores.channels.push_back(roots(added_by_columns(find(layer, "mlp.down.weight"), seen)));
    scores.groups.push_back(
        roots(summed(added_by_columns(find(layer, "attention.o.weight"), seen), model.config().kv_heads)));
  }
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::ranges::all_of(scores.groups.back(), finite)) {
    return make_error(ErrorCode::diverged, "states of the model are no finite numbers",
                      "the weights are damaged, or their dtype does not hold their values");
  }
  return scores;
}

}  // namespace quern::eval
