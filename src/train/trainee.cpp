#include "train/trainee.h"

#include <fmt/format.h>

#include <map>

#include "model/adapter.h"
#include "model/load.h"
#include "model/save.h"

namespace quern::train {

namespace fs = std::filesystem;

Result<void> take_values(nn::Module& module, const nn::Module& saved, const fs::path& folder) {
  std::map<std::string, Tensor> masters;
  nn::visit(saved, [&](const std::string& name, const nn::Parameter& p) { masters[name] = p.master(); });
  Result<void> status;
  module.visit([&](const std::string& name, nn::Parameter& parameter) {
    const auto found = masters.find(name);
    if (found == masters.end() || found->second.shape() != parameter.shape()) {
      status = make_error(ErrorCode::conflict, fmt::format("{}: no {} of shape {}", folder.string(), name,
                                                           parameter.shape().to_string()));
      return;
    }
    parameter.master().copy_from(found->second);
    parameter.refresh_shadow();
  });
  return status;
}

namespace {

template <class Model>
Result<Model> load(const fs::path& folder);
template <>
Result<model::Decoder> load(const fs::path& folder) {
  return model::load_model(folder);
}
template <>
Result<model::Encoder> load(const fs::path& folder) {
  return model::load_encoder(folder);
}
template <>
Result<model::EncoderDecoder> load(const fs::path& folder) {
  return model::load_encoder_decoder(folder);
}

}  // namespace

template <class Model>
Result<void> Whole<Model>::save(const fs::path& folder, bool final) const {
  return model::save_model(model_, folder, final ? model_.config().dtype : DType::f32);
}

template <class Model>
Result<void> Whole<Model>::restore(const fs::path& folder) {
  QUERN_TRY(const Model saved, load<Model>(folder));
  return take_values(model_, saved, folder);
}

template class Whole<model::Decoder>;
template class Whole<model::Encoder>;
template class Whole<model::EncoderDecoder>;

AdapterOfModel::AdapterOfModel(model::Decoder& model, nn::Adapter& adapter, formats::PeftConfig settings)
    : model_(model), adapter_(adapter), settings_(std::move(settings)) {
  model_.set_adapter({std::shared_ptr<void>(), &adapter_});
}

AdapterOfModel::~AdapterOfModel() { model_.set_adapter(nullptr); }

void AdapterOfModel::set_compute_dtype(DType dtype) {
  model_.set_compute_dtype(dtype);
  nn::set_compute_dtype(adapter_, dtype);
}

Result<void> AdapterOfModel::save(const fs::path& folder, bool final) const {
  return model::save_adapter(adapter_, model_.config(), settings_, folder, final);
}

Result<void> AdapterOfModel::restore(const fs::path& folder) {
  QUERN_TRY(const formats::PeftFolder files, formats::PeftFolder::open(folder));
  QUERN_TRY(const std::unique_ptr<nn::Adapter> saved, model::load_adapter(model_, files));
  return take_values(adapter_, *saved, folder);
}

}  // namespace quern::train
