#include "server/encoder_answers.h"

#include <utility>

#include "base/clock.h"
#include "server/api_error.h"
#include "server/request_notes.h"
#include "server/serving_metrics.h"

namespace quern::server {

int64_t tokens_of(const EncoderInputs& inputs) {
  int64_t tokens = 0;
  for (const auto& input : inputs) tokens += static_cast<int64_t>(input.size());
  return tokens;
}

Result<void> ask_encoder(const ModelLease& model, EncoderQuestion question,
                         const std::shared_ptr<HttpReply>& reply, Spent spent) {
  const std::shared_ptr<RequestNotes> notes = reply->notes();
  if (notes) notes->set_model(model->name);
  const int64_t tokens = tokens_of(question.inputs);
  const auto done = [model, tokens, notes, reply, time = Stopwatch(), metrics = model->metrics,
                     spent = std::move(spent),
                     finish = std::move(question.finish)](const std::optional<Error>& error) {
    if (metrics) metrics->observe_whole(time.seconds(), error ? "error" : "stop");
    if (error) return reply->send(to_response(api_error_of(*error)));
    if (notes) notes->add_tokens(tokens, 0);
    if (spent) spent({.prompt_tokens = tokens});
    finish();
  };
  const std::shared_ptr<engine::EncoderThread>& thread = model->encoder->thread;
  QUERN_TRY(const engine::EncoderThread::Id id, thread->submit({.inputs = std::move(question.inputs),
                                                                .head = question.head,
                                                                .receive = std::move(question.receive),
                                                                .done = done}));
  reply->on_close([id, weak = std::weak_ptr(thread), metrics = model->metrics] {
    const auto running = weak.lock();
    if (running && running->cancel(id) && metrics) metrics->observe_whole(0.0, "cancelled");
  });
  return {};
}

Result<std::vector<infer::EncoderToken>> read_text(const ServedModel& model, const std::string& text,
                                                   const std::optional<std::string>& second, bool truncate) {
  auto tokens = model.encoder->thread->session().read(
      text, second, truncate ? infer::TooLong::truncate : infer::TooLong::refuse);
  if (tokens.ok()) return tokens;
  Error error = std::move(tokens).error();
  error.hint = "\"truncate\": true reads its beginning; or cut it into several texts";
  return error;
}

}  // namespace quern::server
