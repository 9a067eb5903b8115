#include "align/policy_with_values.h"

namespace quern::align {

namespace {

constexpr const char* kValues = "values";

}  // namespace

void PolicyWithValues::Parameters::visit(const nn::Visitor& visitor, const std::string& prefix) {
  policy->visit(visitor, prefix + "policy.");
  values->visit(visitor, prefix + "values.");
}

PolicyWithValues::PolicyWithValues(std::unique_ptr<train::Trainee> policy,
                                   std::unique_ptr<train::Trainee> values)
    : policy_(std::move(policy)), values_(std::move(values)) {
  parameters_.policy = &policy_->parameters();
  parameters_.values = &values_->parameters();
}

void PolicyWithValues::set_compute_dtype(DType dtype) {
  policy_->set_compute_dtype(dtype);
  values_->set_compute_dtype(dtype);
}

Result<void> PolicyWithValues::save(const std::filesystem::path& folder, bool final) const {
  QUERN_CHECK(policy_->save(folder, final));
  return final ? Result<void>() : values_->save(folder / kValues, false);
}

Result<void> PolicyWithValues::restore(const std::filesystem::path& folder) {
  QUERN_CHECK(policy_->restore(folder));
  return values_->restore(folder / kValues);
}

}  // namespace quern::align
