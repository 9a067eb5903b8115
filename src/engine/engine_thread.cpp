#include "engine/engine_thread.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/threads.h"

namespace quern::engine {

namespace {
double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

EngineThread::EngineThread(std::unique_ptr<Engine> engine, int64_t most_waiting)
    : engine_(std::move(engine)),
      most_waiting_(most_waiting),
      stats_(engine_->stats()),
      thread_([this] { run(); }) {}

EngineThread::~EngineThread() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<SequenceId> EngineThread::submit(Request request, Receiver receiver) {
  QUERN_CHECK(engine_->check(request));
  const std::lock_guard lock(mutex_);
  if (draining_) return make_error(ErrorCode::unavailable, "the engine is shutting down", "ask another one");
  const int64_t waiting = stats_.waiting + static_cast<int64_t>(asked_.size());
  if (waiting >= most_waiting_) {
    return make_error(ErrorCode::unavailable, fmt::format("{} requests are waiting already", waiting),
                      "try again later");
  }
  const SequenceId id = next_++;
  asked_.push_back({id, std::move(request), std::move(receiver)});
  idle_ = false;
  changed_.notify_all();
  return id;
}

void EngineThread::cancel(SequenceId id) {
  const std::lock_guard lock(mutex_);
  cancelled_.push_back(id);
  idle_ = false;
  changed_.notify_all();
}

void EngineThread::drain() {
  std::unique_lock lock(mutex_);
  draining_ = true;
  changed_.wait(lock, [&] { return idle_; });
}

EngineStats EngineThread::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting += static_cast<int64_t>(asked_.size());
  return stats;
}

// Requests come before cancellations, which may be of them.
void EngineThread::take(std::vector<Asked>&& asked, const std::vector<SequenceId>& cancelled) {
  const double now = seconds();
  for (Asked& one : asked) engine_->add(one.id, std::move(one.request), std::move(one.receiver), now).value();
  for (const SequenceId id : cancelled) engine_->cancel(id, now);
}

void EngineThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock,
                  [&] { return stopping_ || !asked_.empty() || !cancelled_.empty() || !engine_->empty(); });
    auto asked = std::exchange(asked_, {});
    const auto cancelled = std::exchange(cancelled_, {});
    const bool stop = stopping_;
    lock.unlock();
    take(std::move(asked), cancelled);
    if (stop) engine_->cancel_all(seconds());
    engine_->step(seconds(), seconds);
    if (engine_->empty()) release_threads();  // another model may be asked next
    lock.lock();
    stats_ = engine_->stats();
    idle_ = engine_->empty() && asked_.empty() && cancelled_.empty();
    if (idle_) changed_.notify_all();
    if (stop && idle_) return;
  }
}

}  // namespace quern::engine
