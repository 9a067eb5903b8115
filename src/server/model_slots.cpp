#include "server/model_slots.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/threads.h"
#include "base/units.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

Error away(const std::string& name) {
  return make_error(ErrorCode::unavailable, fmt::format("the model '{}' is not loaded yet", name),
                    "try again later");
}

std::string bytes_text(int64_t bytes) { return human_bytes(static_cast<uint64_t>(bytes)); }

Result<ServedModel> try_open(const ModelSource& source) try {
  Result<ServedModel> opened = source.open();
  release_threads();  // what runs the model has its own
  return opened;
} catch (const Exception& broken) {
  return broken.error();
} catch (const std::bad_alloc&) {
  return make_error(ErrorCode::out_of_memory, fmt::format("no memory for the model '{}'", source.name));
} catch (const std::exception& broken) {
  return make_error(ErrorCode::internal, broken.what());
}

}  // namespace

std::string_view name_of(ModelState state) {
  return state == ModelState::loaded ? "loaded" : state == ModelState::loading ? "loading" : "unloaded";
}

ModelAway::ModelAway(std::string name) : Exception(away(name)), name_(std::move(name)) {}

ModelSlots::~ModelSlots() {
  {
    const std::lock_guard lock(mutex_);
    desk_->closed = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ModelSlots::add(Slot slot) {
  slot.last_used = Clock::now();
  const std::lock_guard lock(mutex_);
  slots_.push_back(std::move(slot));
  if (!slots_.back().stays() && !thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void ModelSlots::add(ServedModel model) {
  Slot slot{.source = {.name = model.name, .open = {}}};
  slot.created = model.created;
  slot.bytes = model.bytes();
  slot.model = std::make_unique<const ServedModel>(std::move(model));
  add(std::move(slot));
}

void ModelSlots::add(ModelSource source) {
  const int64_t bytes = source.bytes;
  add(Slot{.source = std::move(source), .created = unix_seconds(), .bytes = bytes});
}

void ModelSlots::set_limits(const ModelLimits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
}

ModelSlots::Slot& ModelSlots::find(const std::string& name) {
  return *std::ranges::find(slots_, name, [](const Slot& slot) { return slot.source.name; });
}

// Precondition: mutex_ is held.
ModelLease ModelSlots::lend(Slot& slot, bool used) {
  ++slot.leases;
  if (used) slot.last_used = Clock::now();
  return {slot.model.get(), [desk = desk_, &slot, used](const ServedModel*) {
            const std::lock_guard lock(desk->mutex);
            if (desk->closed) return;
            --slot.leases;
            if (used) slot.last_used = Clock::now();
            desk->changed.notify_all();
          }};
}

std::optional<ModelSlots::Clock::time_point> ModelSlots::expiry(const Slot& slot) const {
  const double seconds = slot.keep_alive.value_or(limits_.keep_alive);
  if (seconds < 0 || slot.stays()) return std::nullopt;
  return slot.last_used + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::vector<ModelStatus> ModelSlots::all() {
  const std::lock_guard lock(mutex_);
  std::vector<ModelStatus> all;
  for (Slot& slot : slots_) {
    ModelStatus status{
        .name = slot.source.name, .created = slot.created, .bytes = slot.bytes, .error = slot.error};
    status.stays = slot.stays();
    const bool there = slot.model && !slot.leaving;
    status.state = there                                   ? ModelState::loaded
                   : slot.loading || !slot.waiting.empty() ? ModelState::loading
                                                           : ModelState::unloaded;
    if (there) {
      status.model = lend(slot, false);
      if (const auto end = expiry(slot)) {
        const double left = std::chrono::duration<double>(*end - Clock::now()).count();
        status.seconds = std::max(0.0, left);
      }
    }
    all.push_back(std::move(status));
  }
  return all;
}

ModelLease ModelSlots::lease(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Slot& slot = find(name);
  return slot.model && !slot.leaving ? lend(slot, true) : nullptr;
}

Result<void> ModelSlots::load(const std::string& name, Ready ready) {
  const std::lock_guard lock(mutex_);
  if (waiting_ >= limits_.waiting) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("{} requests are waiting for models to be loaded", waiting_),
                      "try again later");
  }
  Slot& slot = find(name);
  slot.waiting.push_back(std::move(ready));
  ++waiting_;
  if (std::ranges::find(wanted_, &slot) == wanted_.end()) wanted_.push_back(&slot);
  changed_.notify_all();
  return {};
}

Result<void> ModelSlots::unload(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Slot& slot = find(name);
  if (slot.stays()) {
    return make_error(ErrorCode::conflict, fmt::format("the model '{}' stays loaded", name),
                      "serve models with --models-memory or --keep-alive, and they come and go");
  }
  slot.leaving = slot.model != nullptr;
  changed_.notify_all();
  return {};
}

void ModelSlots::keep(const std::string& name, std::optional<double> seconds) {
  const std::lock_guard lock(mutex_);
  find(name).keep_alive = seconds;
  changed_.notify_all();
}

void ModelSlots::run() {
  std::unique_lock lock(mutex_);
  while (!desk_->closed) {
    if (end_one(lock) || open_one(lock)) continue;
    if (const auto next = next_expiry()) {
      changed_.wait_until(lock, *next);
    } else {
      changed_.wait(lock);
    }
  }
}

// When the first of the models that nobody uses goes; it is marked as leaving where that is now.
std::optional<ModelSlots::Clock::time_point> ModelSlots::next_expiry() {
  std::optional<Clock::time_point> next;
  for (const Slot& slot : slots_) {
    const auto end = slot.idle() ? expiry(slot) : std::nullopt;
    if (end && (!next || *end < *next)) next = end;
  }
  return next;
}

// Ends a model that is to leave, if there is one that nobody holds. Its threads end with it: without the lock.
bool ModelSlots::end_one(std::unique_lock<std::mutex>& lock) {
  const auto now = Clock::now();
  for (Slot& slot : slots_) {
    const auto end = slot.idle() ? expiry(slot) : std::nullopt;
    if (end && *end <= now) slot.leaving = true;
    if (!slot.leaving || slot.leases > 0) continue;
    std::unique_ptr<const ServedModel> gone = std::exchange(slot.model, nullptr);
    slot.leaving = false;
    slot.keep_alive.reset();
    lock.unlock();
    gone.reset();
    lock.lock();
    return true;
  }
  return false;
}

bool ModelSlots::open_one(std::unique_lock<std::mutex>& lock) {
  if (wanted_.empty()) return false;
  Slot& slot = *wanted_.front();
  if (slot.model && slot.leaving) return false;  // it is held still
  if (slot.model) {
    wanted_.pop_front();
    tell(slot, std::nullopt, lock);
    return true;
  }
  if (const auto failure = too_large(slot)) {
    wanted_.pop_front();
    slot.error = failure;
    tell(slot, failure, lock);
    return true;
  }
  if (!fits(slot, {})) return clear_room(slot);
  wanted_.pop_front();
  open(slot, lock);
  return true;
}

// Whether the model has room when all others are gone but those that stay and those that `gone` is not true of.
bool ModelSlots::fits(const Slot& slot, const std::function<bool(const Slot&)>& gone) const {
  int64_t bytes = slot.bytes, count = 1;
  for (const Slot& other : slots_) {
    if (!other.model || &other == &slot || (gone && gone(other))) continue;
    bytes += other.bytes;
    ++count;
  }
  return (limits_.bytes == 0 || bytes <= limits_.bytes) && (limits_.count == 0 || count <= limits_.count);
}

// Why the model can never be there.
std::optional<Error> ModelSlots::too_large(const Slot& slot) const {
  if (fits(slot, [](const Slot& other) { return !other.stays(); })) return std::nullopt;
  return make_error(ErrorCode::out_of_memory,
                    fmt::format("the model '{}' takes {}, and all models may take {}", slot.source.name,
                                bytes_text(slot.bytes), bytes_text(limits_.bytes)),
                    "raise --models-memory, or lower --cache-tokens or --context");
}

// Tells others to leave until there is room for the model: those that nobody uses first, and of them the one that was used
// the longest ago. False where none is left to be told.
bool ModelSlots::clear_room(const Slot& slot) {
  std::vector<Slot*> others;
  for (Slot& other : slots_) {
    if (other.model && !other.leaving && !other.stays() && &other != &slot) others.push_back(&other);
  }
  std::ranges::sort(others, [](const Slot* a, const Slot* b) {
    return std::pair(a->leases > 0, a->last_used) < std::pair(b->leases > 0, b->last_used);
  });
  bool any = false;
  for (Slot* other : others) {
    if (fits(slot, [](const Slot& one) { return one.leaving; })) break;
    other->leaving = any = true;
  }
  return any;
}

void ModelSlots::open(Slot& slot, std::unique_lock<std::mutex>& lock) {
  slot.loading = true;
  lock.unlock();
  Result<ServedModel> opened = try_open(slot.source);
  lock.lock();
  slot.loading = false;
  if (!opened.ok()) {
    slot.error = opened.error();
    return tell(slot, std::move(opened).error(), lock);
  }
  slot.bytes = opened->bytes();
  slot.created = opened->created;
  slot.model = std::make_unique<const ServedModel>(*std::move(opened));
  slot.last_used = Clock::now();
  // It may have turned out larger than was expected.
  const auto failure = too_large(slot);
  slot.error = failure;
  if (failure) {
    slot.leaving = true;
  } else if (!fits(slot, {})) {
    clear_room(slot);
  }
  tell(slot, failure, lock);
}

// Those who wait ask again, and may find the model gone only where it could not stay.
void ModelSlots::tell(Slot& slot, const std::optional<Error>& failure, std::unique_lock<std::mutex>& lock) {
  std::vector<Ready> waiting = std::exchange(slot.waiting, {});
  waiting_ -= static_cast<int64_t>(waiting.size());
  ModelLease here = slot.model ? lend(slot, false) : nullptr;  // no use of it
  lock.unlock();
  for (const Ready& ready : waiting) ready(failure);
  waiting.clear();  // what they hold may be a lease
  here.reset();
  lock.lock();
}

}  // namespace quern::server
