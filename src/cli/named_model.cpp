#include "cli/named_model.h"

#include "cli/model_options.h"
#include "store/store.h"

namespace quern::cli {

void NamedModel::define(CommandLine& line) {
  line.app().add_option("MODEL", name, "model folder, GGUF file, or a name in the store")->required();
  line.choice("--dtype", dtype, "of activations",
              {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}});
  line.app().add_flag("--no-pack", no_pack, kNoPackHelp);
}

Result<infer::LoadedModel> NamedModel::open() const {
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(name));
  return infer::open_model(path, dtype, !no_pack);
}

}  // namespace quern::cli
