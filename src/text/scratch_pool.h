// Buffers of a model, lent to threads and taken back.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "text/model.h"

namespace quern::text {

// Thread-safe. Scratch objects come back, so that caches stay warm between calls.
class ScratchPool {
 public:
  ScratchPool() = default;
  // A pool moves empty, before anyone uses it.
  ScratchPool(ScratchPool&&) noexcept {}
  ScratchPool& operator=(ScratchPool&&) noexcept { return *this; }

  class Lease {
   public:
    Lease(ScratchPool& pool, const Model& model) : pool_(pool), scratch_(pool.take(model)) {}
    ~Lease() { pool_.give(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ModelScratch& operator*() { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<ModelScratch> scratch_;
  };

 private:
  std::unique_ptr<ModelScratch> take(const Model& model) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto scratch = std::move(idle_.back());
        idle_.pop_back();
        return scratch;
      }
    }
    return model.make_scratch();
  }
  void give(std::unique_ptr<ModelScratch> scratch) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(scratch));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<ModelScratch>> idle_;
};

}  // namespace quern::text
