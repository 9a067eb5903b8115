#include "model/save.h"

#include <map>

#include "base/file.h"
#include "formats/safetensors.h"
#include "model/family.h"
#include "model/tensor_layout.h"

namespace quern::model {

Result<void> save_model(const Decoder& model, const std::filesystem::path& folder) {
  return save_model(model, folder, model.config().dtype);
}

Result<void> save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype) {
  ModelConfig config = model.config();
  config.dtype = dtype;
  QUERN_TRY(const nlohmann::ordered_json json, write_config(config));
  QUERN_TRY(const Family* family, find_family(config.family));
  std::map<std::string, Tensor> masters;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    masters[name] = parameter.master();
  });

  std::vector<formats::NamedTensor> tensors;
  for (const TensorName& name : family->tensors(config)) {
    std::vector<Tensor> parts;
    for (const std::string& parameter : name.parameters) parts.push_back(masters.at(parameter).detached());
    tensors.push_back({name.file, join(name, parts).to(config.dtype)});
  }
  QUERN_CHECK(make_directories(folder));
  QUERN_CHECK(formats::write_weights(folder, std::move(tensors)));
  return write_file_atomic(folder / "config.json", json.dump(2) + "\n");
}

}  // namespace quern::model
