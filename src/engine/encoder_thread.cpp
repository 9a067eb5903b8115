#include "engine/encoder_thread.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/exception.h"
#include "base/threads.h"

namespace quern::engine {

namespace {
constexpr size_t kMostInputs = 64;  // of a round: enough to find some of similar lengths
constexpr size_t kShare = 16;       // of one request
}  // namespace

EncoderThread::EncoderThread(std::shared_ptr<const infer::LoadedEncoder> loaded, int64_t longest,
                             int64_t most_waiting)
    : loaded_(std::move(loaded)),
      session_(*loaded_, longest),
      most_waiting_(most_waiting),
      thread_([this] { run(); }) {}

EncoderThread::~EncoderThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  for (const auto& job : jobs_)
    job->request.done(make_error(ErrorCode::unavailable, "the model is shutting down", "ask another one"));
}

Result<void> EncoderThread::check(const EncoderRequest& request) const {
  if (request.inputs.empty()) return make_error(ErrorCode::invalid_argument, "there is no text to read");
  const int64_t vocab = session_.config().vocab_size;
  for (const auto& input : request.inputs) {
    const auto count = static_cast<int64_t>(input.size());
    if (count == 0 || count > session_.longest()) {
      return make_error(
          ErrorCode::invalid_argument,
          fmt::format("a text has {} tokens, but the model reads 1 to {}", count, session_.longest()),
          "cut it into several texts");
    }
    const auto outside = std::ranges::find_if(
        input, [&](const infer::EncoderToken& token) { return token.id < 0 || token.id >= vocab; });
    if (outside != input.end()) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("a text holds token {}, but the vocabulary has {}", outside->id, vocab),
                        "token ids belong to one tokenizer: is it this model's?");
    }
  }
  return {};
}

Result<EncoderThread::Id> EncoderThread::submit(EncoderRequest request) {
  QUERN_CHECK(check(request));
  auto job = std::make_shared<Job>();
  job->left = request.inputs.size();
  job->request = std::move(request);
  const std::lock_guard lock(mutex_);
  if (const auto waiting = static_cast<int64_t>(jobs_.size()); waiting >= most_waiting_) {
    return make_error(ErrorCode::unavailable, fmt::format("{} requests are waiting already", waiting),
                      "try again later");
  }
  job->id = next_++;
  ++stats_.requests;
  jobs_.push_back(job);
  changed_.notify_all();
  return job->id;
}

bool EncoderThread::cancel(Id id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(jobs_, [&](const auto& job) { return job->id == id; });
  if (found == jobs_.end()) return false;
  (*found)->over = true;
  jobs_.erase(found);
  return true;
}

EncoderStats EncoderThread::stats() const {
  const std::lock_guard lock(mutex_);
  EncoderStats stats = stats_;
  stats.running = std::ranges::count_if(jobs_, [](const auto& job) { return job->taken > 0; });
  stats.waiting = static_cast<int64_t>(jobs_.size()) - stats.running;
  return stats;
}

// A few inputs of each request in turn. Needs the lock.
EncoderThread::Round EncoderThread::plan() {
  Round round{.head = jobs_.front()->request.head, .inputs = {}, .places = {}};
  for (const auto& job : jobs_) {
    if (job->request.head != round.head) continue;
    const size_t count =
        std::min({kShare, kMostInputs - round.places.size(), job->request.inputs.size() - job->taken});
    for (size_t i = 0; i < count; ++i) {
      const size_t index = job->taken++;
      round.inputs.push_back(std::move(job->request.inputs[index]));
      round.places.push_back({job, index});
    }
    if (round.places.size() == kMostInputs) break;
  }
  // Who got no turn comes first in the next round.
  std::stable_partition(jobs_.begin(), jobs_.end(), [&](const auto& job) {
    return std::ranges::find(round.places, job, &Round::Place::job) == round.places.end();
  });
  for (const auto& input : round.inputs) stats_.tokens += static_cast<int64_t>(input.size());
  stats_.texts += static_cast<int64_t>(round.inputs.size());
  return round;
}

std::optional<Error> EncoderThread::compute(const Round& round) try {
  for (const std::vector<size_t>& batch : infer::EncoderSession::batches_of(round.inputs)) {
    session_.run_batch(round.inputs, batch, round.head, [&](size_t i, const Tensor& result) {
      const auto& [job, index] = round.places[i];
      if (!job->over) job->request.receive(index, result);
    });
  }
  return std::nullopt;
} catch (const Exception& broken) {
  return broken.error();
} catch (const std::exception& broken) {
  return make_error(ErrorCode::internal, broken.what());
}

// Tells those who have all their results, or, after an error, all who were to get some.
void EncoderThread::settle(const Round& round, const std::optional<Error>& error) {
  std::vector<std::shared_ptr<Job>> ended;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.passes;
    for (const Round::Place& place : round.places) {
      if (place.job->over || (--place.job->left > 0 && !error)) continue;
      place.job->over = true;
      ended.push_back(place.job);
      std::erase(jobs_, place.job);
    }
  }
  for (const auto& job : ended) job->request.done(error);
}

void EncoderThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Round round = plan();
    lock.unlock();
    settle(round, compute(round));
    lock.lock();
    if (!jobs_.empty()) continue;
    lock.unlock();
    release_threads();  // another model may be asked next
    lock.lock();
  }
}

}  // namespace quern::engine
