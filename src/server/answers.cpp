#include "server/answers.h"

#include <utility>

#include "server/request_notes.h"
#include "server/serving_metrics.h"

namespace quern::server {

namespace {

// Kept alive by the receivers of its requests, and by the callback of a client that leaves.
class Asked : public std::enable_shared_from_this<Asked> {
 public:
  Asked(const ServedModel& model, std::shared_ptr<AnswerWriter> writer, std::shared_ptr<RequestNotes> notes,
        Spent spent)
      : engine_(model.engine),
        writer_(std::move(writer)),
        metrics_(model.metrics),
        notes_(std::move(notes)),
        spent_(std::move(spent)) {}

  Result<void> submit(engine::EngineThread& engine, std::vector<engine::Request>&& requests) {
    const std::lock_guard lock(mutex_);  // no update is passed on before all are submitted
    open_ = requests.size();
    last_tokens_.resize(requests.size());
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
    // It lets go of the engine after the mutex: should that end the engine, all that is left is told to take().
    const auto engine = engine_.lock();
    const std::lock_guard lock(mutex_);
    over_ = true;
    if (engine) cancel_all(*engine);
  }

 private:
  void cancel_all(engine::EngineThread& engine) {
    for (const engine::SequenceId id : ids_) engine.cancel(id);
  }

  // What is counted is so before the client has the answer, and also where there is none any more.
  void count(size_t index, const engine::Update& update) {
    if (metrics_) metrics_->observe(update, last_tokens_[index]);
    if (notes_) notes_->add_text(index, update.text);
    if (!update.last()) return;
    if (notes_) notes_->add_tokens(update.usage.prompt_tokens, update.usage.generated_tokens);
    if (spent_) spent_(update.usage);
  }

  void take(size_t index, engine::Update&& update, engine::EngineThread& engine) {
    const std::lock_guard lock(mutex_);
    count(index, update);
    if (over_) return;
    if (update.error) {
      over_ = true;
      cancel_all(engine);
      writer_->fail(*update.error);
      return writer_.reset();  // and its lease of the model
    }
    const bool last = update.last();
    writer_->update(index, std::move(update));
    if (!last || --open_ > 0) return;
    over_ = true;
    writer_->finish();
    writer_.reset();
  }

  std::weak_ptr<engine::EngineThread> engine_;
  std::shared_ptr<AnswerWriter> writer_;
  std::shared_ptr<ModelMetrics> metrics_;
  std::shared_ptr<RequestNotes> notes_;
  Spent spent_;
  std::mutex mutex_;
  std::vector<ModelMetrics::Moment> last_tokens_;
  std::vector<engine::SequenceId> ids_;
  size_t open_ = 0;
  bool over_ = false;
};

}  // namespace

Result<void> ask(const ServedModel& model, std::vector<engine::Request> requests,
                 std::shared_ptr<AnswerWriter> writer, const std::shared_ptr<HttpReply>& reply, Spent spent) {
  std::shared_ptr<RequestNotes> notes = reply->notes();
  if (notes) notes->set_model(model.name);
  const auto asked = std::make_shared<Asked>(model, std::move(writer), std::move(notes), std::move(spent));
  QUERN_CHECK(asked->submit(*model.engine, std::move(requests)));
  reply->on_close([asked] { asked->leave(); });
  return {};
}

}  // namespace quern::server
