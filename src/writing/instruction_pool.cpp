#include "writing/instruction_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/ascii.h"
#include "base/json.h"
#include "base/rng.h"
#include "data/examples/row_reader.h"
#include "writing/rouge.h"

namespace quern::writing {

namespace {

// Streams that no answer is drawn from.
constexpr uint64_t kDraws = uint64_t{1} << 63;

Error bad_seed(std::string message) {
  return make_error(ErrorCode::invalid_argument, std::move(message),
                    "seeds are rows {\"instruction\", \"input\", \"output\"}; \"input\" may be left out");
}

Result<std::string> text_of(const nlohmann::json& row, const char* field, bool needed) {
  const auto found = row.find(field);
  if (found == row.end() || found->is_null()) {
    if (!needed) return std::string();
    return bad_seed(fmt::format("{}: the field is missing", field));
  }
  if (!found->is_string())
    return bad_seed(fmt::format("{}: expected text, got {}", field, json_excerpt(*found)));
  std::string text(trimmed(found->get_ref<const std::string&>()));
  if (needed && text.empty()) return bad_seed(fmt::format("{}: the text is empty", field));
  return text;
}

Result<Task> read_task(const std::string& text) {
  QUERN_TRY(const nlohmann::json row, parse_json(text, "row"));
  if (!row.is_object()) return bad_seed(fmt::format("expected an object, got {}", json_excerpt(row)));
  Task task;
  QUERN_TRY(task.instruction, text_of(row, "instruction", true));
  const auto instances = row.find("instances");
  const bool published = instances != row.end() && instances->is_array() && !instances->empty() &&
                         instances->front().is_object();
  const nlohmann::json& answer = published ? instances->front() : row;
  QUERN_TRY(task.input, text_of(answer, "input", false));
  QUERN_TRY(task.output, text_of(answer, "output", true));
  return task;
}

// The first `count` of a random order of `indices` (Fisher and Yates).
void draw_first(std::vector<int64_t>& indices, size_t count, Rng& rng) {
  count = std::min(count, indices.size());
  for (size_t i = 0; i < count; ++i)
    std::swap(indices[i], indices[i + static_cast<size_t>(rng.below(indices.size() - i))]);
  indices.resize(count);
}

std::vector<int64_t> range(size_t begin, size_t end) {
  std::vector<int64_t> indices(end - begin);
  std::iota(indices.begin(), indices.end(), static_cast<int64_t>(begin));
  return indices;
}

}  // namespace

Result<std::vector<Task>> read_seed_tasks(const std::string& path) {
  QUERN_TRY(data::RowReader reader, data::RowReader::open({path}));
  std::vector<Task> tasks;
  data::RowReader::Row row;
  for (;;) {
    QUERN_TRY(const bool found, reader.next(row));
    if (!found) break;
    Result<Task> task = read_task(row.text);
    if (!task.ok())
      return std::move(task).error().within(
          fmt::format("{}:{}", reader.files()[row.file].string(), row.line));
    tasks.push_back(*std::move(task));
  }
  if (tasks.empty()) return bad_seed(fmt::format("{}: there are no seeds", path));
  return tasks;
}

InstructionPool::InstructionPool(std::vector<Task> seeds) : seeds_(std::move(seeds)) {
  for (const Task& seed : seeds_) add(seed.instruction);
}

void InstructionPool::add(std::string instruction) {
  words_.push_back(words_of(instruction));
  texts_.push_back(std::move(instruction));
}

InstructionPool::Nearest InstructionPool::nearest(const std::string& text, double at_least) const {
  const std::vector<uint64_t> words = words_of(text);
  Nearest nearest;
  for (size_t i = 0; i < words_.size(); ++i) {
    // No more words are common than the shorter text has.
    const auto shorter = static_cast<double>(std::min(words.size(), words_[i].size()));
    const double most = 2.0 * shorter / static_cast<double>(words.size() + words_[i].size() + 1e-9);
    if (most < at_least || most <= nearest.rouge_l) continue;
    const double score = rouge_l(words, words_[i]);
    if (score >= at_least && score > nearest.rouge_l) nearest = {static_cast<int64_t>(i), score};
  }
  return nearest;
}

std::vector<int64_t> InstructionPool::draw_examples(int64_t count, int64_t generated, uint64_t seed,
                                                    uint64_t draw) const {
  Rng rng(seed, kDraws | draw);
  std::vector<int64_t> newer = range(seeds_.size(), texts_.size());
  draw_first(newer, static_cast<size_t>(std::min(generated, count)), rng);
  std::vector<int64_t> shown = range(0, seeds_.size());
  draw_first(shown, static_cast<size_t>(count) - newer.size(), rng);
  shown.insert(shown.end(), newer.begin(), newer.end());
  draw_first(shown, shown.size(), rng);
  return shown;
}

std::vector<const Task*> InstructionPool::draw_seeds(int64_t count, uint64_t seed, uint64_t draw) const {
  Rng rng(seed, kDraws | draw);
  std::vector<int64_t> with, without;
  for (size_t i = 0; i < seeds_.size(); ++i)
    (seeds_[i].input.empty() ? without : with).push_back(static_cast<int64_t>(i));
  const auto wanted = static_cast<size_t>(count);
  const size_t inputs =
      std::min(with.size(), std::max(wanted / 2, wanted - std::min(wanted, without.size())));
  draw_first(with, inputs, rng);
  draw_first(without, wanted - with.size(), rng);
  with.insert(with.end(), without.begin(), without.end());
  draw_first(with, with.size(), rng);
  std::vector<const Task*> drawn;
  for (const int64_t i : with) drawn.push_back(&seeds_[static_cast<size_t>(i)]);
  return drawn;
}

}  // namespace quern::writing
