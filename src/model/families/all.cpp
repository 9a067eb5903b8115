#include <array>

#include "model/families/families.h"

namespace quern::model {

std::span<const Family* const> families() {
  static constexpr std::array kFamilies{
      &kGpt2,       &kLlama,      &kMixtral,  &kMistral,    &kQwen2,   &kQwen3,     &kGemma, &kGemma2,
      &kGemma3Text, &kPhi3,       &kOlmo2,    &kStarcoder2, &kSmolLm3, &kOpt,       &kMpt,   &kFalcon,
      &kPhi,        &kGptNeoX,    &kQwen2Moe, &kQwen3Moe,   &kMpNet,   &kDebertaV2, &kBert,  &kRoberta,
      &kXlmRoberta, &kDistilBert, &kAlbert,   &kElectra,    &kT5,      &kMt5,       &kBart};
  return kFamilies;
}

}  // namespace quern::model
