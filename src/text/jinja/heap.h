// What one rendering may use up: steps of work and bytes of live values.
#pragma once

#include <cstdint>
#include <utility>

namespace quern::text::jinja {

struct Limits {
  uint64_t steps = 20'000'000;  // nodes evaluated, items visited, 256 bytes of text moved: about 1 s
  uint64_t memory = uint64_t{256} << 20;  // bytes of live values and of unfinished text
  uint64_t output = uint64_t{64} << 20;   // bytes of the finished text
};

// How deep expressions, statements and calls of macros may be inside each other while they run.
inline constexpr int kMaxNesting = 1000;

// Counts for one rendering; not thread-safe. What passes a limit throws Failure: `deadline` for work,
// `out_of_memory` for bytes.
class Heap {
 public:
  explicit Heap(const Limits& limits) : steps_left_(limits.steps), bytes_left_(limits.memory) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void spend(uint64_t steps = 1) {
    if (steps > steps_left_) refuse_work();
    steps_left_ -= steps;
  }
  // The work of moving or searching `bytes` of text.
  void spend_on_text(uint64_t bytes) { spend(bytes >> 8); }
  void allocate(uint64_t bytes) {
    if (bytes > bytes_left_) refuse_memory(bytes);
    bytes_left_ -= bytes;
  }
  void release(uint64_t bytes) { bytes_left_ += bytes; }

  // One more level of recursion for as long as it lives.
  class Level {
   public:
    explicit Level(Heap& heap) : heap_(heap) {
      if (heap_.nesting_ >= kMaxNesting) heap_.refuse_nesting();
      ++heap_.nesting_;
    }
    ~Level() { --heap_.nesting_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Heap& heap_;
  };

 private:
  [[noreturn]] void refuse_nesting() const;
  [[noreturn]] void refuse_work() const;
  [[noreturn]] void refuse_memory(uint64_t bytes) const;

  uint64_t steps_left_;
  uint64_t bytes_left_;
  int nesting_ = 0;
};

// Bytes taken from a heap until the charge dies. Values of a template's own constants have no heap.
class Charge {
 public:
  Charge() = default;
  Charge(Heap* heap, uint64_t bytes) : heap_(heap) { grow(bytes); }
  Charge(Charge&& other) noexcept
      : heap_(std::exchange(other.heap_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(heap_, other.heap_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (heap_ != nullptr) heap_->release(bytes_);
  }
  void grow(uint64_t bytes) {
    if (heap_ == nullptr) return;
    heap_->allocate(bytes);
    bytes_ += bytes;
  }

 private:
  Heap* heap_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace quern::text::jinja
