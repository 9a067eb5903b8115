#include "server/answers.h"

#include <utility>

namespace quern::server {

namespace {

// Kept alive by the receivers of its requests, and by the callback of a client that leaves.
class Asked : public std::enable_shared_from_this<Asked> {
 public:
  Asked(const std::shared_ptr<engine::EngineThread>& engine, std::shared_ptr<AnswerWriter> writer,
        Spent spent)
      : engine_(engine), writer_(std::move(writer)), spent_(std::move(spent)) {}

  Result<void> submit(engine::EngineThread& engine, std::vector<engine::Request>&& requests) {
    const std::lock_guard lock(mutex_);  // no update is passed on before all are submitted
    open_ = requests.size();
    for (size_t index = 0; index < requests.size(); ++index) {
      // The engine lives while it calls. Were this to keep it alive, its thread might have to end itself.
      Result<engine::SequenceId> id = engine.submit(
          std::move(requests[index]), [self = shared_from_this(), index, &engine](engine::Update&& update) {
            self->take(index, std::move(update), engine);
          });
      if (!id.ok()) {
        over_ = true;
        cancel_all(engine);
        return std::move(id).error();
      }
      ids_.push_back(*id);
    }
    return {};
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    if (const auto engine = engine_.lock()) cancel_all(*engine);
  }

 private:
  void cancel_all(engine::EngineThread& engine) {
    for (const engine::SequenceId id : ids_) engine.cancel(id);
  }

  void take(size_t index, engine::Update&& update, engine::EngineThread& engine) {
    if (update.last() && spent_) spent_(update.usage);
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (update.error) {
      over_ = true;
      cancel_all(engine);
      return writer_->fail(*update.error);
    }
    const bool last = update.last();
    writer_->update(index, std::move(update));
    if (!last || --open_ > 0) return;
    over_ = true;
    writer_->finish();
  }

  std::weak_ptr<engine::EngineThread> engine_;
  std::shared_ptr<AnswerWriter> writer_;
  Spent spent_;
  std::mutex mutex_;
  std::vector<engine::SequenceId> ids_;
  size_t open_ = 0;
  bool over_ = false;
};

}  // namespace

Result<void> ask(const ServedModel& model, std::vector<engine::Request> requests,
                 std::shared_ptr<AnswerWriter> writer, const std::shared_ptr<HttpReply>& reply, Spent spent) {
  const auto asked = std::make_shared<Asked>(model.engine, std::move(writer), std::move(spent));
  QUERN_CHECK(asked->submit(*model.engine, std::move(requests)));
  reply->on_close([asked] { asked->leave(); });
  return {};
}

}  // namespace quern::server
