#include "base/nearest.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace quern {

namespace {

// The edits that turn `a` into each beginning of `b`, the whole of it last.
std::vector<size_t> distances(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, previous);
    std::swap(previous, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

// What is as few edits away as possible, where a rest that was not typed counts as one edit and a half.
std::string nearest_typed(std::string_view name, std::span<const std::string> known) {
  constexpr size_t kShortestBeginning = 4;
  const std::string typed = lower(name);
  std::vector<std::string> candidates;
  candidates.reserve(known.size());
  for (const std::string& candidate : known) candidates.push_back(lower(candidate));
  const std::string nearest = nearest_name(typed, candidates);
  size_t best = static_cast<size_t>(std::ranges::find(candidates, nearest) - candidates.begin());
  size_t best_cost = nearest.empty() ? std::string::npos : 2 * edit_distance(typed, nearest);
  for (size_t i = 0; i < candidates.size(); ++i) {
    const size_t beginning = std::ranges::min(distances(typed, candidates[i]));
    const bool cut = typed.size() >= kShortestBeginning && beginning <= typed.size() / 6;
    if (!cut || 2 * beginning + 3 >= best_cost) continue;
    best = i;
    best_cost = 2 * beginning + 3;
  }
  return best_cost == std::string::npos ? std::string() : known[best];
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) { return distances(a, b).back(); }

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(name, candidate);
    // Two edits turn any short word into another: at least half of the letters must stay.
    if (distance < best_distance && 2 * distance <= std::max(name.size(), candidate.size())) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? std::string() : *best;
}

std::string suggestion(std::string_view name, std::span<const std::string> known) {
  const std::string nearest = nearest_typed(name, known);
  return nearest.empty() ? nearest : "did you mean '" + nearest + "'?";
}

}  // namespace quern
