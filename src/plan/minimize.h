// Derivative-free minimisers for the handful of numbers a scaling law has.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace quern::plan {

// The minimum of a unimodal function on [low, high], to a relative width of 1e-10 (golden-section search).
double golden_section(const std::function<double(double)>& f, double low, double high);

// A local minimum near `start` (Nelder and Mead 1965), restarted from its own result until that stops
// helping.
std::vector<double> nelder_mead(const std::function<double(std::span<const double>)>& f,
                                std::vector<double> start);

}  // namespace quern::plan
