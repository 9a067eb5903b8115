#include "infer/loaded_adapter.h"

#include <atomic>

namespace quern::infer {

Result<std::shared_ptr<const LoadedAdapter>> open_adapter(std::string name, const model::Decoder& model,
                                                          const std::filesystem::path& path) {
  static std::atomic<uint64_t> opened = 0;
  QUERN_TRY(const formats::PeftFolder folder, formats::PeftFolder::open(path));
  QUERN_TRY(std::unique_ptr<nn::Adapter> weights, model::load_adapter(model, folder));
  return std::make_shared<const LoadedAdapter>(
      LoadedAdapter{std::move(name), path, folder.config, &model, ++opened, std::move(weights)});
}

}  // namespace quern::infer
