// Models that come and go: opened when somebody asks for them, gone when others need their room, or when nobody has asked
// for a while.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/exception.h"
#include "server/served_model.h"

namespace quern::server {

// A model that stays as long as somebody holds this. It may be let go of anywhere, in the model's own thread as well.
using ModelLease = std::shared_ptr<const ServedModel>;

// A model that can be opened, as often as it takes.
struct ModelSource {
  std::string name;
  int64_t bytes = 0;  // memory that it is expected to take
  std::function<Result<ServedModel>()> open;
};

struct ModelLimits {
  int64_t bytes = 0;         // memory of all models that are open; 0: any
  int64_t count = 0;         // so many; 0: any
  double keep_alive = -1.0;  // seconds that a model stays which nobody asks; below 0: for ever
  int64_t waiting = 1024;    // requests that may wait for models to be opened
};

enum class ModelState { unloaded, loading, loaded };
std::string_view name_of(ModelState state);

struct ModelStatus {
  std::string name;
  int64_t created = 0;  // seconds since 1970
  ModelState state = ModelState::unloaded;
  int64_t bytes = 0;                   // that it takes, or is expected to
  std::optional<Error> error = {};     // why it could not be opened the last time
  std::optional<double> seconds = {};  // until it goes, where nobody asks; nothing: it stays
  ModelLease model = {};               // null unless it is loaded
  bool stays = false;                  // it is loaded, and cannot be unloaded
};

// Thrown where a model is asked for that is not loaded: the request is to wait (ModelSlots::load), and to ask again.
class ModelAway : public Exception {
 public:
  explicit ModelAway(std::string name);
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// Thread-safe. Its own thread opens models, one at a time, and ends them when nobody holds a lease. Leases that outlive it
// may be let go of, but their models have ended with it.
class ModelSlots {
 public:
  // Hears, once, that a model is there, or why not: called by the thread that opens models.
  using Ready = std::function<void(const std::optional<Error>& failure)>;

  ModelSlots() = default;
  ~ModelSlots();
  ModelSlots(const ModelSlots&) = delete;
  ModelSlots& operator=(const ModelSlots&) = delete;

  // Names are not looked at twice: the first of a name is the one.
  void add(ServedModel model);  // which stays
  void add(ModelSource source);
  void set_limits(const ModelLimits& limits);

  std::vector<ModelStatus> all();
  // Null where it is not loaded. Precondition of all below: there is a model of this name.
  ModelLease lease(const std::string& name);
  // Calls back when the model is there. unavailable where too many wait already: nobody is called then.
  Result<void> load(const std::string& name, Ready ready);
  // Ends the model as soon as nobody holds it. conflict for a model that cannot be opened again.
  Result<void> unload(const std::string& name);
  // Until it goes, it stays for so many seconds when nobody asks; nothing: as the limits say.
  void keep(const std::string& name, std::optional<double> seconds);

 private:
  using Clock = std::chrono::steady_clock;
  struct Slot {
    ModelSource source;
    int64_t created = 0;
    int64_t bytes = 0;
    std::unique_ptr<const ServedModel> model = {};
    bool loading = false;
    bool leaving = false;  // it ends when nobody holds it; who asks now waits for it to be opened again
    int64_t leases = 0;
    Clock::time_point last_used = {};
    std::optional<double> keep_alive = {};
    std::optional<Error> error = {};
    std::vector<Ready> waiting = {};

    bool stays() const { return !source.open; }
    bool idle() const { return model && leases == 0 && !leaving && !stays(); }
  };

  // What leases come back to. They own no more than this: were they to keep the slots alive, the last one might end them in
  // their own thread or in that of a model, and no thread can wait for itself to end.
  struct Desk {
    std::mutex mutex;
    std::condition_variable changed;
    bool closed = false;  // the slots are gone
  };

  Slot& find(const std::string& name);
  ModelLease lend(Slot& slot, bool used);
  std::optional<Clock::time_point> expiry(const Slot& slot) const;
  void add(Slot slot);

  void run();
  bool end_one(std::unique_lock<std::mutex>& lock);
  bool open_one(std::unique_lock<std::mutex>& lock);
  void open(Slot& slot, std::unique_lock<std::mutex>& lock);
  void tell(Slot& slot, const std::optional<Error>& failure, std::unique_lock<std::mutex>& lock);
  bool fits(const Slot& slot, const std::function<bool(const Slot&)>& gone) const;
  std::optional<Error> too_large(const Slot& slot) const;
  bool clear_room(const Slot& slot);
  std::optional<Clock::time_point> next_expiry();

  const std::shared_ptr<Desk> desk_ = std::make_shared<Desk>();
  std::mutex& mutex_ = desk_->mutex;
  std::condition_variable& changed_ = desk_->changed;
  std::deque<Slot> slots_;    // which never move
  std::deque<Slot*> wanted_;  // to be opened, the longest waiting first
  ModelLimits limits_;
  int64_t waiting_ = 0;
  std::thread thread_;  // from when there is a source
};

}  // namespace quern::server
