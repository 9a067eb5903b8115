// Runs a case of the op registry, forward and backward.
#pragma once

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

struct CaseResult {
  Tensor y;
  std::vector<Tensor> gradients;  // of each input; undefined where there is none
};

// Inputs and an output gradient for `op`, equal for equal dtypes.
struct CaseData {
  std::vector<Tensor> inputs;
  Tensor dy;
};
CaseData data_of(const OpCase& op, DType dtype);
// The same values with every floating tensor in `dtype`.
CaseData converted(const CaseData& data, DType dtype);

// Output and gradients on the kernel table in force.
CaseResult run_case(const OpCase& op, const CaseData& data);

}  // namespace quern::ops::rows
