#include <array>

#include "model/families/families.h"

namespace quern::model {

std::span<const Family* const> families() {
  static constexpr std::array<const Family*, 2> kFamilies{&kGpt2, &kLlama};
  return kFamilies;
}

}  // namespace quern::model
