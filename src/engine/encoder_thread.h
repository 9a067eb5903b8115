// An encoder that runs by itself: ask from any thread. What is asked at one time is read together.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "infer/encoder_session.h"

namespace quern::engine {

// Texts that are asked for at once. Both functions are called by the encoder's thread, should not take long, and must not
// throw.
struct EncoderRequest {
  std::vector<std::vector<infer::EncoderToken>> inputs;  // each of 1 to longest() tokens
  bool head = false;                                     // as EncoderSession::run
  std::function<void(size_t index, const Tensor& result)> receive;
  std::function<void(const std::optional<Error>&)>
      done;  // once, after the last result or instead of those that are left
};

struct EncoderStats {
  int64_t waiting = 0, running = 0;  // requests now
  int64_t requests = 0, texts = 0, tokens = 0, passes = 0;
};

// Thread-safe. Requests get their turns a few texts at a time, so that a large one holds up nobody; a result does not depend
// on the others.
class EncoderThread {
 public:
  using Id = int64_t;

  // `longest`: see EncoderSession. `most_waiting`: requests that may wait before more are refused.
  EncoderThread(std::shared_ptr<const infer::LoadedEncoder> loaded, int64_t longest, int64_t most_waiting);
  // Ends what is left: done(unavailable).
  ~EncoderThread();
  EncoderThread(const EncoderThread&) = delete;
  EncoderThread& operator=(const EncoderThread&) = delete;

  // unavailable when too many wait. invalid_argument for an input without tokens, with too many, or with one that is
  // outside the vocabulary.
  Result<Id> submit(EncoderRequest request);
  // Nothing is computed for it any more, and it is not called from the next pass on. False where it is over already.
  bool cancel(Id id);

  EncoderStats stats() const;
  const infer::EncoderSession& session() const { return session_; }

 private:
  struct Job {
    Id id = 0;
    EncoderRequest request;
    size_t taken = 0;  // inputs that were planned
    size_t left = 0;   // inputs without a result
    std::atomic<bool> over = false;
  };
  // Inputs of a pass, and whose they are.
  struct Round {
    bool head = false;
    std::vector<std::vector<infer::EncoderToken>> inputs;
    struct Place {
      std::shared_ptr<Job> job;
      size_t index = 0;
    };
    std::vector<Place> places;
  };

  Result<void> check(const EncoderRequest& request) const;
  void run();
  Round plan();
  std::optional<Error> compute(const Round& round);
  void settle(const Round& round, const std::optional<Error>& error);

  const std::shared_ptr<const infer::LoadedEncoder> loaded_;
  const infer::EncoderSession session_;
  const int64_t most_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> jobs_;  // with results to come; the next in turn first
  EncoderStats stats_;
  Id next_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quern::engine
