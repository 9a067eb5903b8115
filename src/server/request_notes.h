// What becomes known of a request while it is answered, for those who record it.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern::server {

struct NotedRequest {
  std::string caller = {}, model = {};  // empty: nobody said
  // Of all its answers together; one prompt counts for each.
  int64_t prompt_tokens = 0, generated_tokens = 0;
  std::vector<std::string> answers = {};  // as the model gave them, where texts are kept
};

// Thread-safe.
class RequestNotes {
 public:
  explicit RequestNotes(bool keep_texts) : keep_texts_(keep_texts) {}

  void set_caller(std::string name) {
    const std::lock_guard lock(mutex_);
    noted_.caller = std::move(name);
  }
  void set_model(std::string name) {
    const std::lock_guard lock(mutex_);
    noted_.model = std::move(name);
  }
  void add_tokens(int64_t prompt, int64_t generated) {
    const std::lock_guard lock(mutex_);
    noted_.prompt_tokens += prompt;
    noted_.generated_tokens += generated;
  }
  void add_text(size_t answer, std::string_view text) {
    if (!keep_texts_) return;
    const std::lock_guard lock(mutex_);
    if (noted_.answers.size() <= answer) noted_.answers.resize(answer + 1);
    noted_.answers[answer] += text;
  }
  NotedRequest read() const {
    const std::lock_guard lock(mutex_);
    return noted_;
  }

 private:
  const bool keep_texts_;
  mutable std::mutex mutex_;
  NotedRequest noted_;
};

}  // namespace quern::server
