#include "server/batch_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/exception.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "server/api_error.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr size_t kMostOpen = 16;                  // batches that are answered at a time, in memory
constexpr int64_t kLowerPriority = 100;           // than those of the caller who waits
constexpr auto kLook = std::chrono::seconds(1);   // for batches that expired
constexpr auto kPause = std::chrono::seconds(1);  // where too many wait

}  // namespace

// Where answers of lines arrive, whoever outlives whom.
struct BatchRunner::Inbox {
  struct Answer {
    std::string batch;
    size_t line = 0;
    HttpResponse response;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Answer> answers;
  bool news = false;

  void put(Answer answer) {
    const std::lock_guard lock(mutex);
    answers.push_back(std::move(answer));
    tell();
  }
  // Needs the lock.
  void tell() {
    news = true;
    changed.notify_one();
  }
};

class BatchRunner::LineReply final : public HttpReply {
 public:
  LineReply(std::shared_ptr<Inbox> inbox, std::string batch, size_t line)
      : inbox_(std::move(inbox)), batch_(std::move(batch)), line_(line) {}
  // Nobody will answer any more.
  ~LineReply() override {
    if (!ended_) deliver(to_response(api_error(500, "the request was not answered", "internal")));
  }

  void send(HttpResponse response) override {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(ended_, true)) return;
      on_close_ = {};
    }
    deliver(std::move(response));
  }
  void begin(int status, std::string_view content_type, HttpHeaders) override {
    const std::lock_guard lock(mutex_);
    response_.status = status;
    response_.content_type = content_type;
  }
  void write(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    response_.body.append(bytes);
  }
  void end() override { send(std::move(response_)); }
  void keep_alive(std::chrono::milliseconds, std::string) override {}
  bool closed() const override { return closed_; }
  void on_close(std::function<void()> callback) override {
    const std::lock_guard lock(mutex_);
    if (!ended_) on_close_ = std::move(callback);
  }
  // The answer is not wanted any more.
  void close() {
    closed_ = true;
    std::function<void()> callback;
    {
      const std::lock_guard lock(mutex_);
      callback = std::exchange(on_close_, {});
    }
    if (callback) callback();
  }

 private:
  void deliver(HttpResponse response) { inbox_->put({batch_, line_, std::move(response)}); }

  std::shared_ptr<Inbox> inbox_;
  const std::string batch_;
  const size_t line_;
  std::mutex mutex_;
  HttpResponse response_;
  std::function<void()> on_close_;
  bool ended_ = false;
  std::atomic<bool> closed_ = false;
};

BatchRunner::BatchRunner(fs::path folder, std::shared_ptr<FileStore> files, HttpServer::Handler answer,
                         const Options& options)
    : folder_(std::move(folder)),
      files_(std::move(files)),
      answer_(std::move(answer)),
      options_(options),
      inbox_(std::make_shared<Inbox>()) {}

Result<std::unique_ptr<BatchRunner>> BatchRunner::open(fs::path folder, std::shared_ptr<FileStore> files,
                                                       HttpServer::Handler answer, const Options& options) {
  QUERN_CHECK(make_directories(folder));
  std::unique_ptr<BatchRunner> runner(
      new BatchRunner(std::move(folder), std::move(files), std::move(answer), options));
  QUERN_CHECK(runner->load());
  runner->thread_ = std::thread([self = runner.get()] { self->run(); });
  return runner;
}

BatchRunner::~BatchRunner() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(inbox_->mutex);
    stopping_ = true;
    inbox_->tell();
  }
  thread_.join();
}

Result<void> BatchRunner::load() {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_, failed)) {
    if (entry.path().extension() != ".json") continue;
    const std::string source = entry.path().string();
    QUERN_TRY(const std::string text, read_file(entry.path(), kMaxJsonFile));
    const auto record = parse_ordered_json(text, source);
    Result<Batch> batch = record.ok() ? batch_from_record(*record, source) : Result<Batch>(record.error());
    if (!batch.ok() || batch->id != entry.path().stem()) {
      log::warn("server", "left out {}, which is no record of a batch", source);
      continue;
    }
    if (!batch->over()) queued_.push_back(batch->id);
    inbox_->news = true;
    batches_[batch->id] = *std::move(batch);
  }
  if (failed) return file_error("read", folder_, failed.value());
  return {};
}

Result<void> BatchRunner::save(const Batch& batch) const {
  return write_file_atomic(folder_ / (batch.id + ".json"), to_bytes(batch.record()));
}

// Changes a batch, here and on disk. Only the runner's thread saves batches that it knows.
Batch BatchRunner::change(const std::string& id, const std::function<void(Batch&)>& change) {
  Batch batch;
  {
    const std::lock_guard lock(inbox_->mutex);
    change(batches_[id]);
    batch = batches_[id];
  }
  if (const Result<void> saved = save(batch); !saved.ok())
    log::warn("server", "batch {}: {}", id, saved.error().message);
  return batch;
}

Result<Batch> BatchRunner::create(Batch batch) {
  batch.id = new_id("batch_");
  batch.enter(BatchStatus::validating);
  batch.times = {{"created_at", unix_seconds()}, {"expires_at", unix_seconds() + options_.seconds}};
  {
    const std::lock_guard lock(inbox_->mutex);
    const auto unfinished = std::ranges::count_if(batches_, [&](const auto& entry) {
      return entry.second.owner() == batch.owner() && !entry.second.over();
    });
    if (static_cast<size_t>(unfinished) >= options_.unfinished_per_owner) {
      return make_error(ErrorCode::unavailable, fmt::format("there are {} unfinished batches", unfinished),
                        "wait for some to finish, or cancel them");
    }
  }
  QUERN_CHECK(save(batch));
  const std::lock_guard lock(inbox_->mutex);
  batches_[batch.id] = batch;
  forget_old(batch.owner());
  queued_.push_back(batch.id);
  inbox_->tell();
  return batch;
}

// Needs the lock.
void BatchRunner::forget_old(const std::string& owner) {
  std::vector<std::pair<int64_t, std::string>> over;
  for (const auto& [id, batch] : batches_) {
    if (batch.owner() == owner && batch.over()) over.emplace_back(batch.times.at("created_at"), id);
  }
  std::ranges::sort(over, std::greater<>());
  for (size_t i = options_.finished_per_owner; i < over.size(); ++i) {
    std::error_code ignored;
    fs::remove(folder_ / (over[i].second + ".json"), ignored);
    batches_.erase(over[i].second);
  }
}

std::optional<Batch> BatchRunner::find(const std::string& id, const std::string& owner) const {
  const std::lock_guard lock(inbox_->mutex);
  const auto found = batches_.find(id);
  if (found == batches_.end() || found->second.owner() != owner) return std::nullopt;
  return found->second;
}

std::vector<Batch> BatchRunner::list(const std::string& owner) const {
  std::vector<Batch> list;
  {
    const std::lock_guard lock(inbox_->mutex);
    for (const auto& [id, batch] : batches_) {
      if (batch.owner() == owner) list.push_back(batch);
    }
  }
  std::ranges::stable_sort(list, std::greater<>(),
                           [](const Batch& batch) { return batch.times.at("created_at"); });
  return list;
}

Result<Batch> BatchRunner::cancel(const std::string& id, const std::string& owner) {
  const std::lock_guard lock(inbox_->mutex);
  const auto found = batches_.find(id);
  if (found == batches_.end() || found->second.owner() != owner)
    return make_error(ErrorCode::not_found, fmt::format("there is no batch {}", json_excerpt(id)));
  Batch& batch = found->second;
  if (batch.over()) {
    return make_error(ErrorCode::conflict, fmt::format("the batch {} is {}", id, name_of(batch.status)),
                      "only unfinished batches can be cancelled");
  }
  if (batch.status == BatchStatus::validating || batch.status == BatchStatus::in_progress)
    batch.enter(BatchStatus::cancelling);
  inbox_->tell();
  return batch;
}

bool BatchRunner::reads(const std::string& file) const {
  const std::lock_guard lock(inbox_->mutex);
  return std::ranges::any_of(
      batches_, [&](const auto& entry) { return entry.second.input_file == file && !entry.second.over(); });
}

// What to start now: as many as may be open, and all that are cancelled. Needs the lock.
std::vector<std::string> BatchRunner::take_queued() {
  std::vector<std::string> taken;
  std::deque<std::string> left;
  for (std::string& id : queued_) {
    const bool start =
        running_.size() + taken.size() < kMostOpen || batches_[id].status == BatchStatus::cancelling;
    if (start) {
      taken.push_back(std::move(id));
    } else {
      left.push_back(std::move(id));
    }
  }
  queued_ = std::move(left);
  return taken;
}

void BatchRunner::run() {
  for (;;) {
    std::vector<std::string> queued;
    {
      std::unique_lock lock(inbox_->mutex);
      inbox_->changed.wait_for(lock, kLook, [&] { return inbox_->news; });
      inbox_->news = false;
      if (stopping_) break;
      queued = take_queued();
    }
    for (const std::string& id : queued) start(id);
    take_answers();
    settle();
    ask_lines();
  }
  for (Running& running : running_) {
    for (const auto& [line, reply] : running.replies) {
      if (const auto held = reply.lock()) held->close();
    }
  }
}

void BatchRunner::start(const std::string& id) {
  Batch batch;
  {
    const std::lock_guard lock(inbox_->mutex);
    batch = batches_[id];
  }
  Result<std::string> text = files_->content(batch.input_file, batch.owner());
  if (!text.ok()) return fail(id, text.error());
  auto input = std::make_unique<BatchInput>();
  read_batch_input(*std::move(text), batch.endpoint, *input);
  if (!input->errors.empty()) {
    change(id, [&](Batch& changed) {
      changed.errors = input->errors;
      changed.enter(BatchStatus::failed);
    });
    return;
  }
  Result<std::unique_ptr<BatchJob>> job = BatchJob::open(id, folder_, std::move(input));
  if (!job.ok()) return fail(id, job.error());
  Caller caller = batch.caller.value_or(Caller{});
  caller.priority -= kLowerPriority;
  change(id, [&](Batch& changed) {
    changed.total = static_cast<int64_t>((*job)->total());
    changed.completed = static_cast<int64_t>((*job)->completed());
    changed.failed = static_cast<int64_t>((*job)->failed());
    if (changed.status == BatchStatus::validating) changed.enter(BatchStatus::in_progress);
  });
  running_.push_back({.job = *std::move(job),
                      .caller = std::make_shared<const Caller>(std::move(caller)),
                      .endpoint = batch.endpoint,
                      .replies = {}});
}

void BatchRunner::fail(const std::string& id, const Error& error) {
  change(id, [&](Batch& batch) {
    batch.errors.push_back(
        {{"code", name_of(error.code)}, {"message", error.message}, {"param", nullptr}, {"line", nullptr}});
    batch.enter(BatchStatus::failed);
  });
}

void BatchRunner::take_answers() {
  std::vector<Inbox::Answer> answers;
  {
    const std::lock_guard lock(inbox_->mutex);
    answers.swap(inbox_->answers);
  }
  for (Inbox::Answer& answer : answers) {
    --asked_;
    const auto running =
        std::ranges::find_if(running_, [&](const Running& r) { return r.job->id() == answer.batch; });
    if (running == running_.end()) continue;  // cancelled meanwhile
    running->replies.erase(answer.line);
    if (answer.response.status == 503) {
      running->job->put_back(answer.line);
      pause_ = Clock::now() + kPause;
      continue;
    }
    if (const Result<void> written = running->job->answer(answer.line, answer.response); !written.ok()) {
      for (const auto& [line, reply] : running->replies) {
        if (const auto held = reply.lock()) held->close();
      }
      fail(answer.batch, written.error());
      running_.erase(running);
    }
  }
}

void BatchRunner::settle() {
  for (size_t left = running_.size(); left > 0; --left) {
    Running running = std::move(running_.front());
    running_.pop_front();
    if (!settle(running)) running_.push_back(std::move(running));
  }
}

// Counts what is answered; true when it is over.
bool BatchRunner::settle(Running& running) {
  BatchJob& job = *running.job;
  bool cancelled = false, expired = false;
  {
    const std::lock_guard lock(inbox_->mutex);
    Batch& batch = batches_[job.id()];
    batch.completed = static_cast<int64_t>(job.completed());
    batch.failed = static_cast<int64_t>(job.failed());
    cancelled = batch.status == BatchStatus::cancelling;
    expired = batch.times.at("expires_at") <= unix_seconds();
  }
  if (!job.answered() && !cancelled && !expired) return false;
  for (const auto& [line, reply] : running.replies) {
    if (const auto held = reply.lock()) held->close();
  }
  if (cancelled) {
    finish(running, BatchStatus::cancelled);
  } else {
    finish(running, job.answered() ? BatchStatus::completed : BatchStatus::expired);
  }
  return true;
}

void BatchRunner::finish(Running& running, BatchStatus status) {
  BatchJob& job = *running.job;
  if (status == BatchStatus::expired) {
    const Result<void> told =
        job.give_up("batch_expired", "the batch expired before this request was answered");
    if (!told.ok()) return fail(job.id(), told.error());
  }
  const Batch batch = change(job.id(), [&](Batch& changed) {
    changed.failed = static_cast<int64_t>(job.failed());
    if (status != BatchStatus::cancelled) changed.enter(BatchStatus::finalizing);
  });
  const BatchJob::Files files = job.close();
  const auto keep = [&](const std::optional<fs::path>& path, const char* kind) -> Result<std::string> {
    if (!path) return std::string();
    QUERN_TRY(const StoredFile file, files_->adopt({.id = {},
                                                    .owner = batch.owner(),
                                                    .filename = fmt::format("{}_{}.jsonl", batch.id, kind),
                                                    .purpose = "batch_output"},
                                                   *path));
    return file.id;
  };
  const Result<std::string> output = keep(files.output, "output");
  const Result<std::string> errors = keep(files.errors, "error");
  if (!output.ok()) return fail(batch.id, output.error());
  if (!errors.ok()) return fail(batch.id, errors.error());
  change(batch.id, [&](Batch& changed) {
    changed.output_file = *output;
    changed.error_file = *errors;
    changed.enter(status);
  });
}

// The batches in turn, until enough lines are under way.
void BatchRunner::ask_lines() {
  size_t idle = 0;  // batches in a row without a line to ask
  while (asked_ < options_.lines && idle < running_.size() && Clock::now() >= pause_) {
    Running running = std::move(running_.front());
    running_.pop_front();
    const std::optional<size_t> line = running.job->take_line();
    if (line) ask(running, *line);
    idle = line ? 0 : idle + 1;
    running_.push_back(std::move(running));
  }
}

void BatchRunner::ask(Running& running, size_t line) {
  ++asked_;
  const auto reply = std::make_shared<LineReply>(inbox_, running.job->id(), line);
  running.replies[line] = reply;
  HttpRequest request;
  request.method = "POST";
  request.path = running.endpoint;
  request.body = running.job->body(line);
  request.caller = running.caller;
  try {
    answer_(std::move(request), reply);
  } catch (const Exception& refused) {
    reply->send(to_response(api_error_of(refused.error())));
  } catch (const std::exception& defect) {
    reply->send(to_response(api_error(500, defect.what(), "internal")));
  }
}

}  // namespace quern::server
