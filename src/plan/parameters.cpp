#include "plan/parameters.h"

#include <string>

namespace quern::plan {

namespace {

int64_t& part_of(ParameterCount& count, const std::string& name) {
  if (name.starts_with("embedding")) return count.embedding;
  if (name.starts_with("position.")) return count.positions;
  if (name.starts_with("head")) return count.head;
  if (name.find(".attention.") != std::string::npos) return count.attention;
  if (name.find(".mlp.") != std::string::npos) return count.mlp;
  return count.norms;
}

}  // namespace

ParameterCount count_parameters(const model::Decoder& model) {
  ParameterCount count;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    part_of(count, name) += parameter.shape().numel();
  });
  return count;
}

}  // namespace quern::plan
