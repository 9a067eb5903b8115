#include "engine/encoder_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>

#include "support/source_dir.h"

namespace quern::engine {
namespace {

using testing::HasSubstr;

std::shared_ptr<const infer::LoadedEncoder> tiny_encoder() {
  static const auto loaded = std::make_shared<const infer::LoadedEncoder>(
      infer::open_encoder(std::string(QUERN_SOURCE_DIR) + "/tests/golden/encoder_texts", DType::f32).value());
  return loaded;
}

using Tokens = std::vector<infer::EncoderToken>;

Tokens text(size_t length, int32_t token = 7) { return Tokens(length, infer::EncoderToken{.id = token}); }

// What a request got, once it is over.
class Received {
 public:
  EncoderRequest request(std::vector<Tokens> inputs) {
    return {.inputs = std::move(inputs),
            .receive =
                [this](size_t index, const Tensor& result) {
                  const auto values = result.span<float>();
                  results_[index].assign(values.begin(), values.end());
                },
            .done =
                [this](const std::optional<Error>& error) {
                  const std::lock_guard lock(mutex_);
                  error_ = error;
                  ++done_;
                  changed_.notify_all();
                }};
  }
  const std::map<size_t, std::vector<float>>& wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return done_ > 0; }));
    return results_;
  }
  int done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  std::optional<Error> error() {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<size_t, std::vector<float>> results_;
  std::optional<Error> error_;
  int done_ = 0;
};

TEST(EncoderThread, ResultsDoNotDependOnCompany) {
  EncoderThread thread(tiny_encoder(), 0, 64);
  Received alone;
  ASSERT_TRUE(thread.submit(alone.request({text(5)})).ok());
  const std::vector<float> wanted = alone.wait().at(0);
  std::vector<std::unique_ptr<Received>> all;
  for (size_t i = 0; i < 8; ++i) {
    all.push_back(std::make_unique<Received>());
    std::vector<Tokens> inputs{text(5)};
    for (size_t k = 0; k < 20 * i; ++k) inputs.push_back(text(1 + (k * 7 + i) % 30, 5));
    ASSERT_TRUE(thread.submit(all.back()->request(std::move(inputs))).ok());
  }
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]->wait().size(), 1 + 20 * i);
    EXPECT_EQ(all[i]->wait().at(0), wanted);
    EXPECT_EQ(all[i]->done(), 1);
  }
  const EncoderStats stats = thread.stats();
  EXPECT_EQ(stats.requests, 9);
  EXPECT_EQ(stats.texts, 1 + 8 + 20 * 28);
  EXPECT_EQ(stats.waiting + stats.running, 0);
}

TEST(EncoderThread, SaysWhatIsWrong) {
  EncoderThread thread(tiny_encoder(), 10, 64);
  Received none;
  const auto refusal = [&](std::vector<Tokens> inputs) {
    const auto refused = thread.submit(none.request(std::move(inputs)));
    return refused.ok() ? "" : refused.error().message;
  };
  EXPECT_THAT(refusal({}), HasSubstr("no text"));
  EXPECT_THAT(refusal({text(3), {}}), HasSubstr("has 0 tokens"));
  EXPECT_THAT(refusal({text(11)}), HasSubstr("has 11 tokens, but the model reads 1 to 10"));
  EXPECT_THAT(refusal({text(2, 93)}), HasSubstr("token 93, but the vocabulary has 93"));
  EXPECT_THAT(refusal({text(2, -1)}), HasSubstr("token -1"));
  EXPECT_EQ(none.done(), 0);
}

TEST(EncoderThread, RefusesWhatWouldWaitTooLong) {
  EncoderThread thread(tiny_encoder(), 0, 0);
  Received none;
  const auto refused = thread.submit(none.request({text(3)}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
}

TEST(EncoderThread, ForgetsWhatIsCancelled) {
  EncoderThread thread(tiny_encoder(), 0, 64);
  Received cancelled, last;
  std::promise<void> go;
  EncoderRequest blocker{.inputs = {text(3)},
                         .receive = [&](size_t, const Tensor&) { go.get_future().wait(); },
                         .done = [](const std::optional<Error>&) {}};
  ASSERT_TRUE(thread.submit(std::move(blocker)).ok());
  const auto id = thread.submit(cancelled.request({text(3)}));
  ASSERT_TRUE(id.ok());
  EXPECT_TRUE(thread.cancel(*id));
  EXPECT_FALSE(thread.cancel(*id));
  go.set_value();
  ASSERT_TRUE(thread.submit(last.request({text(3)})).ok());
  EXPECT_EQ(last.wait().size(), 1U);
  EXPECT_EQ(cancelled.done(), 0);
}

TEST(EncoderThread, EveryRequestEnds) {
  std::vector<std::unique_ptr<Received>> all;
  {
    EncoderThread thread(tiny_encoder(), 0, 64);
    for (int i = 0; i < 4; ++i) {
      all.push_back(std::make_unique<Received>());
      ASSERT_TRUE(thread.submit(all.back()->request(std::vector<Tokens>(500, text(30)))).ok());
    }
  }
  for (const auto& one : all) {
    EXPECT_EQ(one->done(), 1);
    if (one->error()) {
      EXPECT_EQ(one->error()->code, ErrorCode::unavailable);
    }
  }
}

}  // namespace
}  // namespace quern::engine
