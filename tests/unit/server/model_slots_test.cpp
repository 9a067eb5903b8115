#include "server/model_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "unit/server/saying.h"

namespace quern::server {
namespace {

using testing::HasSubstr;

class ModelSlotsTest : public testing::Test {
 protected:
  // A source whose model takes `bytes`, as is believed.
  void add(const std::string& name, int64_t bytes = 0) {
    slots_->add(ModelSource{.name = name, .bytes = bytes, .open = [this, name]() -> Result<ServedModel> {
                              ++opened_;
                              if (broken_) return make_error(ErrorCode::corrupt, "the file is damaged");
                              return saying(name, "Hello!", 4);
                            }});
  }
  std::future<std::optional<Error>> load(const std::string& name) {
    const auto promise = std::make_shared<std::promise<std::optional<Error>>>();
    const auto done =
        slots_->load(name, [promise](const std::optional<Error>& error) { promise->set_value(error); });
    if (!done.ok()) promise->set_value(done.error());
    return promise->get_future();
  }
  // Loads and holds the model.
  ModelLease take(const std::string& name) {
    while (true) {
      if (ModelLease lease = slots_->lease(name)) return lease;
      const auto error = load(name).get();
      EXPECT_FALSE(error) << error->message;
      if (error) return nullptr;
    }
  }
  ModelStatus status(const std::string& name) {
    for (ModelStatus& status : slots_->all())
      if (status.name == name) return std::move(status);
    return {};
  }
  bool becomes(const std::string& name, ModelState state) {
    for (int i = 0; i < 2000; ++i) {
      if (status(name).state == state) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  const int64_t each_ = saying("any", "Hello!", 4).bytes();
  std::atomic<int> opened_ = 0;
  std::atomic<bool> broken_ = false;
  std::unique_ptr<ModelSlots> slots_ = std::make_unique<ModelSlots>();
};

TEST_F(ModelSlotsTest, OpensAModelThatIsAskedFor) {
  add("a");
  EXPECT_EQ(slots_->lease("a"), nullptr);
  EXPECT_EQ(status("a").state, ModelState::unloaded);
  EXPECT_EQ(opened_, 0);
  const ModelLease lease = take("a");
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->name, "a");
  EXPECT_EQ(opened_, 1);
  EXPECT_EQ(status("a").state, ModelState::loaded);
  EXPECT_EQ(status("a").bytes, each_);
  EXPECT_FALSE(load("a").get());
  EXPECT_EQ(opened_, 1) << "it was there";
}

TEST_F(ModelSlotsTest, TheLongestUnusedGoesFirst) {
  for (const char* name : {"a", "b", "c"}) add(name, each_);
  slots_->set_limits({.bytes = 2 * each_});
  take("a");
  take("b");
  take("a");
  take("c");
  EXPECT_EQ(status("b").state, ModelState::unloaded);
  EXPECT_EQ(status("a").state, ModelState::loaded);
  slots_->set_limits({.count = 1});
  take("b");
  EXPECT_EQ(status("a").state, ModelState::unloaded);
  EXPECT_EQ(status("c").state, ModelState::unloaded);
}

// While somebody holds the model that must go, the next one waits, and so does who asks for the first again.
TEST_F(ModelSlotsTest, UnloadingWaitsForLeases) {
  add("a", each_);
  add("b", each_);
  slots_->set_limits({.bytes = each_});
  ModelLease held = take("a");
  auto second = load("b");
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_EQ(held->name, "a") << "still there";
  EXPECT_EQ(slots_->lease("a"), nullptr) << "it is on its way out";
  auto third = load("a");
  held.reset();
  EXPECT_FALSE(second.get());
  EXPECT_FALSE(third.get());
  EXPECT_EQ(opened_, 3);
}

// Threads that ask for models by turns, with room for one: each gets what it asked for.
TEST_F(ModelSlotsTest, RequestsRaceForRoom) {
  for (const char* name : {"a", "b", "c"}) add(name, each_);
  slots_->set_limits({.bytes = each_});
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 6; ++i) {
        const std::string name(1, static_cast<char>('a' + (t + i) % 3));
        const ModelLease lease = take(name);
        right += lease && lease->name == name && lease->engine->stats().blocks > 0 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 24);
  int64_t open = 0;
  for (const ModelStatus& status : slots_->all()) open += status.state == ModelState::loaded ? 1 : 0;
  EXPECT_LE(open, 1);
}

TEST_F(ModelSlotsTest, AFailureIsTold) {
  add("a");
  add("b");
  broken_ = true;
  auto first = load("a"), second = load("a");
  EXPECT_THAT(first.get()->message, HasSubstr("damaged"));
  EXPECT_TRUE(second.get());
  EXPECT_EQ(status("a").error->code, ErrorCode::corrupt);
  broken_ = false;
  EXPECT_NE(take("b"), nullptr) << "others are not concerned";
  EXPECT_NE(take("a"), nullptr) << "the file was mended";
  EXPECT_FALSE(status("a").error);
}

TEST_F(ModelSlotsTest, WhatIsTooLargeIsRefused) {
  add("large", 5 * each_);
  add("small", each_);
  slots_->set_limits({.bytes = 2 * each_});
  take("small");
  const auto error = load("large").get();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::out_of_memory);
  EXPECT_EQ(status("small").state, ModelState::loaded) << "nobody left for nothing";
  EXPECT_EQ(opened_, 1);
  // It may turn out so when it is open.
  add("unknown", 0);
  slots_->set_limits({.bytes = each_ / 2});
  EXPECT_TRUE(load("unknown").get());
  EXPECT_TRUE(becomes("unknown", ModelState::unloaded));
}

TEST_F(ModelSlotsTest, IdleModelsGo) {
  add("a");
  slots_->set_limits({.keep_alive = 0.05});
  {
    const ModelLease held = take("a");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(status("a").state, ModelState::loaded) << "somebody uses it";
  }
  EXPECT_TRUE(becomes("a", ModelState::unloaded));
  slots_->keep("a", -1.0);
  take("a");
  EXPECT_FALSE(status("a").seconds) << "for ever";
  slots_->keep("a", 0.0);
  EXPECT_TRUE(becomes("a", ModelState::unloaded));
}

TEST_F(ModelSlotsTest, UnloadsWhatItIsTold) {
  add("a");
  slots_->add(saying("fixed", "Hello!", 4));
  take("a");
  slots_->unload("a").value();
  EXPECT_TRUE(becomes("a", ModelState::unloaded));
  EXPECT_EQ(slots_->unload("fixed").error().code, ErrorCode::conflict);
  EXPECT_NE(slots_->lease("fixed"), nullptr);
}

TEST_F(ModelSlotsTest, TooManyWaitInVain) {
  add("a", each_);
  add("b", each_);
  slots_->set_limits({.bytes = each_, .waiting = 1});
  ModelLease held = take("a");
  auto waits = load("b");
  EXPECT_EQ(load("b").get()->code, ErrorCode::unavailable);
  held.reset();
  EXPECT_FALSE(waits.get());
}

TEST_F(ModelSlotsTest, LeasesMayOutliveAll) {
  add("a");
  ModelLease lease = take("a");
  slots_.reset();
  lease.reset();
}

// The thread that opens models lets go of leases, too. It must not be the last one to hold the slots: it cannot wait for
// itself to end.
TEST_F(ModelSlotsTest, EndWhileTheirThreadLetsGoOfLeases) {
  for (int round = 0; round < 20; ++round) {
    slots_ = std::make_unique<ModelSlots>();
    add("a");
    std::vector<ModelLease> leases = {take("a")};
    while (leases.size() < 500) leases.push_back(slots_->lease("a"));
    std::atomic<bool> begun = false, ending = false;
    const auto asked = slots_->load("a", [&, slots = slots_.get()](const std::optional<Error>&) {
      for (begun = true; !ending;) slots->lease("a");
      leases.clear();
    });
    ASSERT_TRUE(asked.ok());
    while (!begun) std::this_thread::yield();
    ending = true;
    slots_.reset();
    EXPECT_TRUE(leases.empty());
  }
}

}  // namespace
}  // namespace quern::server
