// What `quern plan` prints: tables for people, JSON for programs, and the formulas with their sources.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "plan/measured_runs.h"
#include "plan/plan.h"

namespace quern::plan {

std::string to_text(const ModelPlan& plan);
nlohmann::ordered_json to_json(const ModelPlan& plan);

// The compute-optimal sizes for a budget, and what the laws disagree on.
std::string budget_text(double flops, std::span<const Optimum> sizes);
nlohmann::ordered_json budget_json(double flops, std::span<const Optimum> sizes);

// A fit to measured runs, run by run, and its optimum for each budget.
std::string fit_text(const Fit& fit, std::span<const NamedRun> runs, std::span<const double> budgets);
nlohmann::ordered_json fit_json(const Fit& fit, std::span<const NamedRun> runs,
                                std::span<const double> budgets);

// A formula that an answer came from.
struct Formula {
  std::string what;
  std::string formula;
  std::string source;
};
std::span<const Formula> formulas();
std::string formulas_text();
nlohmann::ordered_json formulas_json();

}  // namespace quern::plan
