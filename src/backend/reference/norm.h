#pragma once
#include "backend/api/kernel_table.h"
namespace quern::backend::reference {
bool norm(const NormArgs& args);
bool norm_backward(const NormBackwardArgs& args);
}  // namespace quern::backend::reference
