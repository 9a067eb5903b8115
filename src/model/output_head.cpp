#include "model/output_head.h"

namespace quern::model {

ops::OutputHead output_head(const Decoder& model) {
  const ModelConfig& config = model.config();
  if (config.scores()) throw ShapeError("[decoder] expected a language head, and there is none");
  ops::OutputHead head{.weight = {}, .softcap = config.logit_softcap};
  const std::string_view matrix = config.tied_embeddings ? "embedding.weight" : "head.weight";
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    if (name == matrix) head.weight = parameter.value();
    if (name == "head.bias") head.bias = parameter.value();
  });
  return head;
}

}  // namespace quern::model
