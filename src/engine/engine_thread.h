// An engine that runs by itself: ask from any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace quern::engine {

// All functions are thread-safe. Receivers are called by the engine's own thread, one at a time, and may call submit() and
// cancel().
class EngineThread {
 public:
  // `most_waiting`: requests that may wait, beyond those that run, before more are refused.
  explicit EngineThread(std::unique_ptr<Engine> engine, int64_t most_waiting = 1024);
  // Cancels what is left; every receiver has had its last update then.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Errors of Engine::check; unavailable when too many wait, or after drain(). The receiver is not called then.
  Result<SequenceId> submit(Request request, Receiver receiver);
  // As Engine::cancel, soon.
  void cancel(SequenceId id);
  // Takes no more requests, and returns when those there are have ended.
  void drain();

  // Of the end of the last pass, but that those wait who came since.
  EngineStats stats() const;
  const Engine& engine() const { return *engine_; }  // its constant parts: loaded(), context(), cache_bytes()

 private:
  struct Asked {
    SequenceId id = 0;
    Request request;
    Receiver receiver;
  };
  void run();
  void take(std::vector<Asked>&& asked, const std::vector<SequenceId>& cancelled);

  std::unique_ptr<Engine> engine_;
  const int64_t most_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Asked> asked_;
  std::vector<SequenceId> cancelled_;
  EngineStats stats_;
  SequenceId next_ = 1;
  bool draining_ = false, stopping_ = false, idle_ = true;
  std::thread thread_;
};

}  // namespace quern::engine
