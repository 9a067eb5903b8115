// Instructions that there are already: new ones are shown some of them, and must differ from all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace quern::writing {

// What people ask of a model, and what it should answer: a row of Alpaca.
struct Task {
  std::string instruction;
  std::string input;  // empty: the instruction says everything
  std::string output;

  bool operator==(const Task&) const = default;
};

// Rows {"instruction", "input", "output"}, or {"instruction", "instances": [{"input", "output"}]} as Self-Instruct published its
// seeds, of which the first is taken. .jsonl or a JSON array. Errors of data::RowReader; invalid_argument with file and line for a
// row without instruction or output, and where there is none at all.
Result<std::vector<Task>> read_seed_tasks(const std::string& path);

class InstructionPool {
 public:
  explicit InstructionPool(std::vector<Task> seeds);

  void add(std::string instruction);
  int64_t size() const { return static_cast<int64_t>(texts_.size()); }
  const std::string& operator[](int64_t index) const { return texts_[static_cast<size_t>(index)]; }
  const std::vector<Task>& seeds() const { return seeds_; }

  // The instruction that is most like `text` by ROUGE-L, if one reaches `at_least`; the first of equals.
  struct Nearest {
    int64_t index = -1;  // none
    double rouge_l = 0.0;
  };
  Nearest nearest(const std::string& text, double at_least) const;

  // Indices of `count` instructions to show, at most `generated` of them not seeds, in the order they are to be shown in. A function
  // of the pool, the seed and `draw`.
  std::vector<int64_t> draw_examples(int64_t count, int64_t generated, uint64_t seed, uint64_t draw) const;
  // `count` seeds, half of them with an input as far as there are such.
  std::vector<const Task*> draw_seeds(int64_t count, uint64_t seed, uint64_t draw) const;

 private:
  std::vector<Task> seeds_;
  std::vector<std::string> texts_;  // seeds first
  std::vector<std::vector<uint64_t>> words_;
};

}  // namespace quern::writing
