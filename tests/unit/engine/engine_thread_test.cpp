#include "engine/engine_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "unit/infer/scripted_model.h"

namespace quern::engine {
namespace {

using testing::HasSubstr;

std::unique_ptr<Engine> saying(const std::string& text) {
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  std::vector<int32_t> script = tokenizer.encode(text);
  script.push_back(0);
  model::Decoder model = infer::scripted_model(script, tokenizer.vocab_size());
  return Engine::create(std::make_shared<const infer::LoadedModel>(infer::LoadedModel{
                            {.tokenizer = tokenizer, .end_tokens = {0}}, std::move(model)}),
                        {})
      .value();
}

Request long_request() {
  Request request{.prompt = {7}};
  request.options.sampling.temperature = 0;
  request.options.max_tokens = 1000;
  request.options.end_tokens = {0};
  return request;
}

TEST(EngineThread, AnswersManyAtOnce) {
  EngineThread engine(saying("a long enough text"));
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 50; ++i) {
    auto done = std::make_shared<std::promise<std::string>>();
    auto text = std::make_shared<std::string>();
    answers.push_back(done->get_future());
    ASSERT_TRUE(engine
                    .submit(long_request(),
                            [done, text](Update&& update) {
                              *text += update.text;
                              if (update.last()) done->set_value(*text);
                            })
                    .ok());
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get(), "a long enough text");
  engine.drain();
  EXPECT_EQ(engine.stats().finished, 50);
}

TEST(EngineThread, CancelsOnRequestAndWhenItEnds) {
  std::atomic<int> cancelled = 0;
  const auto count = [&](Update&& update) { cancelled += update.finish == infer::FinishReason::cancelled; };
  {
    EngineThread engine(saying(std::string(3000, 'x')));
    const SequenceId first = engine.submit(long_request(), count).value();
    ASSERT_TRUE(engine.submit(long_request(), count).ok());
    engine.cancel(first);
    engine.cancel(12345);
  }
  EXPECT_EQ(cancelled, 2);
}

TEST(EngineThread, RefusesWhatItCannotTake) {
  EngineThread engine(saying("text"), 0);
  EXPECT_EQ(engine.submit({}, {}).error().code, ErrorCode::invalid_argument);
  const auto full = engine.submit(long_request(), {});
  EXPECT_EQ(full.error().code, ErrorCode::unavailable);
  EXPECT_THAT(full.error().message, HasSubstr("0 requests are waiting"));
  engine.drain();
  EXPECT_THAT(engine.submit(long_request(), {}).error().message, HasSubstr("shutting down"));
}

}  // namespace
}  // namespace quern::engine
