#include "model/adapter.h"

#include "base/exception.h"
#include "model/bottleneck.h"
#include "model/lora.h"
#include "model/virtual_tokens.h"

namespace quern::model {

namespace {

// As one of any method.
template <class Own>
Result<std::unique_ptr<nn::Adapter>> any(Result<Own> made) {
  if (!made.ok()) return std::move(made).error();
  return std::unique_ptr<nn::Adapter>(std::make_unique<Own>(*std::move(made)));
}

}  // namespace

Result<std::unique_ptr<nn::Adapter>> make_adapter(const Decoder& model, const formats::PeftConfig& settings,
                                                  std::span<const int32_t> text, uint64_t seed) {
  switch (settings.method) {
    case formats::PeftMethod::lora:
      return any(make_lora(model, model.config(), settings, seed));
    case formats::PeftMethod::prompt:
      return any(make_prompt(model, settings.tokens.count, text, seed));
    case formats::PeftMethod::prefix:
      return any(make_prefix(model, settings.tokens, text, seed));
    case formats::PeftMethod::bottleneck:
      return any(make_bottleneck(model.config(), settings, seed));
  }
  throw InternalError("[adapter] unknown method");
}

Result<std::unique_ptr<nn::Adapter>> load_adapter(const Decoder& model, const formats::PeftFolder& folder) {
  switch (folder.config.method) {
    case formats::PeftMethod::lora:
      return any(load_lora(model, model.config(), folder));
    case formats::PeftMethod::prompt:
      return any(load_prompt(model.config(), folder));
    case formats::PeftMethod::prefix:
      return any(load_prefix(model.config(), folder));
    case formats::PeftMethod::bottleneck:
      return any(load_bottleneck(model.config(), folder));
  }
  throw InternalError("[adapter] unknown method");
}

Result<void> save_adapter(const nn::Adapter& adapter, const ModelConfig& config,
                          const formats::PeftConfig& settings, const std::filesystem::path& folder,
                          bool final) {
  if (const auto* lora = dynamic_cast<const nn::LoraAdapter*>(&adapter))
    return save_lora(*lora, config, settings, folder);
  if (const auto* bottleneck = dynamic_cast<const nn::BottleneckAdapter*>(&adapter))
    return save_bottleneck(*bottleneck, config, settings, folder);
  if (const auto* prompt = dynamic_cast<const nn::SoftPrompt*>(&adapter))
    return save_prompt(*prompt, config, settings, folder);
  return save_prefix(dynamic_cast<const nn::Prefix&>(adapter), config, settings, folder, final);
}

}  // namespace quern::model
