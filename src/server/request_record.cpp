#include "server/request_record.h"

#include <atomic>
#include <utility>

#include "base/clock.h"
#include "server/api_format.h"
#include "server/forwarding_reply.h"

namespace quern::server {

namespace {

constexpr size_t kLongestPath = 256;  // the client made it

class RecordingReply final : public ForwardingReply {
 public:
  RecordingReply(std::shared_ptr<HttpReply> reply, RequestRecord record, bool contents, Recorder recorder)
      : ForwardingReply(std::move(reply)),
        record_(std::move(record)),
        notes_(std::make_shared<RequestNotes>(contents)),
        recorder_(std::move(recorder)) {}
  // Nobody ended the answer: the client left, or whoever was to answer failed.
  ~RecordingReply() override {
    if (!over_) over(reply_->closed() ? 499 : 500);
  }

  // The record is complete before the client has the answer.
  void send(HttpResponse response) override {
    response.headers["x-request-id"] = record_.id;
    over(response.status);
    ForwardingReply::send(std::move(response));
  }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    headers["x-request-id"] = record_.id;
    status_ = status;
    ForwardingReply::begin(status, content_type, std::move(headers));
  }
  void end() override {
    over(status_);
    ForwardingReply::end();
  }
  std::shared_ptr<RequestNotes> notes() const override { return notes_; }

 private:
  void over(int status) {
    if (over_.exchange(true)) return;
    record_.status = status;
    record_.seconds = time_.seconds();
    record_.noted = notes_->read();
    recorder_(record_);
  }

  RequestRecord record_;
  const Stopwatch time_;
  const std::shared_ptr<RequestNotes> notes_;
  const Recorder recorder_;
  int status_ = 0;
  std::atomic<bool> over_ = false;
};

}  // namespace

HttpServer::Handler with_record(const Router& router, bool contents, Recorder recorder,
                                HttpServer::Handler next) {
  return [&router, contents, recorder = std::move(recorder), next = answering_errors(std::move(next))](
             HttpRequest request, std::shared_ptr<HttpReply> reply) {
    RequestRecord record{.id = new_id("req-"),
                         .method = request.method,
                         .path = request.path.substr(0, kLongestPath),
                         .remote = request.remote,
                         .route = std::string(router.pattern_of(request.path))};
    if (contents) record.body = request.body;
    next(std::move(request),
         std::make_shared<RecordingReply>(std::move(reply), std::move(record), contents, recorder));
  };
}

}  // namespace quern::server
