// Models by the names of their sizes.
#pragma once

#include <string_view>

#include "model/decoder.h"
#include "model/presets.h"

namespace quern::test {

inline model::Decoder preset(std::string_view name) {
  return model::Decoder::create(model::find_preset(name)->config).value();
}

}  // namespace quern::test
