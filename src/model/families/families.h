// The families there are, one file each.
#pragma once

#include "model/family.h"

namespace quern::model {

extern const Family kGpt2;
extern const Family kLlama;

}  // namespace quern::model
