// A scored text for people and programs: its figures as JSON, and a page with plots, the hardest tokens and a passage
// coloured by surprise.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "eval/perplexity.h"

namespace quern::eval {

nlohmann::ordered_json to_json(const Estimate& estimate);
nlohmann::ordered_json to_json(const PerplexityFigures& figures);
nlohmann::ordered_json to_json(const ComparisonFigures& figures);
// One row per window: tokens so far, and the perplexity of them.
nlohmann::ordered_json to_json(const std::vector<RunningEstimate>& running);

// Writes the page of `summary`, which holds "model", "data", "figures", "running" and, where two models were compared,
// "against" with "model" and "figures". Tokens are shown in the order of their loss, or of their divergence from the base.
Result<void> write_perplexity_report(const std::filesystem::path& path, nlohmann::ordered_json summary,
                                     const EvaluationText& text, const ScoredText& scored);

}  // namespace quern::eval
