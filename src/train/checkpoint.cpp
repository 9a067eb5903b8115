#include "train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "formats/safetensors.h"

namespace quern::train {

namespace fs = std::filesystem;

namespace {

constexpr int kFormat = 2;
constexpr std::string_view kStateFile = "trainer.json";
constexpr std::string_view kMomentsFile = "optimizer.safetensors";

// JSON has no infinities or NaNs: they are stored as null and restored as `absent`.
nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}
double number(const nlohmann::json& value, double absent) {
  return value.is_number() ? value.get<double>() : absent;
}

constexpr const char* kRemove = "remove this checkpoint to go on from the one before it";

nlohmann::json to_json(const TrainerState& s) {
  return {{"step", s.step},
          {"micro_batches", s.micro_batches},
          {"tokens", s.tokens},
          {"seconds", s.seconds},
          {"objective", s.objective},
          {"loss_scale", s.scaler.scale},
          {"loss_scale_good_steps", s.scaler.good_steps},
          {"loss_scale_enabled", s.scaler.enabled},
          {"smoothed_loss", number(s.smoothed_loss)},
          {"lowest_smoothed_loss", number(s.lowest_smoothed)},
          {"best_loss", number(s.best_loss)},
          {"best_step", s.best_step},
          {"stale_evaluations", s.stale_evaluations}};
}

TrainerState state_from(const nlohmann::json& json) {
  const TrainerState fresh;
  TrainerState s;
  json.at("step").get_to(s.step);
  json.at("micro_batches").get_to(s.micro_batches);
  json.at("tokens").get_to(s.tokens);
  json.at("seconds").get_to(s.seconds);
  s.objective = json.at("objective");
  json.at("loss_scale").get_to(s.scaler.scale);
  json.at("loss_scale_good_steps").get_to(s.scaler.good_steps);
  json.at("loss_scale_enabled").get_to(s.scaler.enabled);
  s.smoothed_loss = number(json.at("smoothed_loss"), fresh.smoothed_loss);
  s.lowest_smoothed = number(json.at("lowest_smoothed_loss"), fresh.lowest_smoothed);
  s.best_loss = number(json.at("best_loss"), fresh.best_loss);
  json.at("best_step").get_to(s.best_step);
  json.at("stale_evaluations").get_to(s.stale_evaluations);
  return s;
}

// conflict naming the first field in which the checkpoint differs from this run.
Result<void> expect_same(const nlohmann::ordered_json& here, const nlohmann::ordered_json& there,
                         const fs::path& checkpoint) {
  for (const auto& [name, value] : here.items()) {
    const auto found = there.find(name);
    if (found != there.end() && *found == value) continue;
    return make_error(
        ErrorCode::conflict,
        fmt::format("{} belongs to another run: {} is {} there and {} here", checkpoint.string(), name,
                    found == there.end() ? "absent" : found->dump(), value.dump()),
        "train into another directory, or go back to the settings it was started with");
  }
  return {};
}

Result<void> restore_moments(const fs::path& path, const AdamW& optimizer) {
  QUERN_TRY(const formats::TensorArchive archive, formats::TensorArchive::open(path));
  Result<void> status;
  optimizer.visit_state([&](const std::string& name, const Tensor& moment) {
    if (!status.ok()) return;
    Result<Tensor> stored = archive.tensor(name);
    if (!stored.ok()) {
      status = std::move(stored).error();
    } else if (stored->shape() != moment.shape() || stored->dtype() != moment.dtype()) {
      status = make_error(ErrorCode::conflict, fmt::format("{}: {} is {}, expected {}", path.string(), name,
                                                           stored->describe(), moment.describe()));
    } else {
      moment.copy_from(*stored);
    }
  });
  return status;
}

}  // namespace

CheckpointStore::CheckpointStore(fs::path run_directory, Fingerprint fingerprint, int64_t keep,
                                 std::function<Result<void>(const fs::path&)> save_extras)
    : directory_(std::move(run_directory) / "checkpoints"),
      fingerprint_(std::move(fingerprint)),
      keep_(keep),
      save_extras_(std::move(save_extras)) {}

std::vector<fs::path> CheckpointStore::list() const {
  std::vector<fs::path> checkpoints;
  std::error_code status;
  for (const auto& entry : fs::directory_iterator(directory_, status)) {
    if (entry.is_directory() && entry.path().filename().string().starts_with("step-"))
      checkpoints.push_back(entry.path());
  }
  std::ranges::sort(checkpoints);
  return checkpoints;
}

Result<std::optional<fs::path>> CheckpointStore::latest() const {
  std::error_code status;
  for (const auto& entry : fs::directory_iterator(directory_, status)) {
    if (entry.path().filename().string().starts_with(".")) {
      std::error_code ignored;
      fs::remove_all(entry.path(), ignored);
    }
  }
  const std::vector<fs::path> checkpoints = list();
  if (checkpoints.empty()) return std::optional<fs::path>();
  return std::optional<fs::path>(checkpoints.back());
}

Result<void> CheckpointStore::save(const Trainee& trainee, const AdamW& optimizer,
                                   const TrainerState& state) const {
  const std::string name = fmt::format("step-{:08d}", state.step);
  const fs::path temporary = directory_ / ("." + name);
  std::error_code status;
  fs::remove_all(temporary, status);
  if (Result<void> written = write(temporary, trainee, optimizer, state); !written.ok()) {
    fs::remove_all(temporary, status);  // a full disk needs the room
    return written;
  }
  fs::remove_all(directory_ / name,
                 status);  // the same step saved again, by a run that was told to start afresh
  QUERN_CHECK(rename_durably(temporary, directory_ / name));
  std::vector<fs::path> checkpoints = list();
  for (size_t i = 0; i + static_cast<size_t>(keep_) < checkpoints.size(); ++i)
    fs::remove_all(checkpoints[i], status);
  return {};
}

Result<void> CheckpointStore::write(const fs::path& temporary, const Trainee& trainee, const AdamW& optimizer,
                                    const TrainerState& state) const {
  QUERN_CHECK(make_directories(temporary));
  QUERN_CHECK(trainee.save(temporary, false));
  std::vector<formats::NamedTensor> moments;
  optimizer.visit_state([&](const std::string& moment, const Tensor& tensor) {
    moments.push_back({moment, tensor});
  });
  QUERN_CHECK(formats::write_safetensors(temporary / kMomentsFile, std::move(moments)));
  if (save_extras_) QUERN_CHECK(save_extras_(temporary));
  const nlohmann::ordered_json json = {{"format", kFormat},
                                       {"fingerprint", fingerprint_},
                                       {"optimizer_steps", optimizer.steps()},
                                       {"state", to_json(state)}};
  return write_file_atomic(temporary / kStateFile, json.dump(2) + "\n");
}

Result<TrainerState> CheckpointStore::restore(const fs::path& checkpoint, Trainee& trainee,
                                              AdamW& optimizer) const {
  const fs::path path = checkpoint / kStateFile;
  QUERN_TRY(const std::string text, read_file(path));
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  const auto corrupt = [&](std::string_view why) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: {}", path.string(), why), kRemove);
  };
  if (!json.is_object()) return corrupt("not a JSON object");
  try {
    if (json.at("format") != kFormat) return corrupt("written by another version of Quern");
    QUERN_CHECK(expect_same(fingerprint_, json.at("fingerprint"), checkpoint));
    Result<void> restored = trainee.restore(checkpoint);
    if (restored.ok()) restored = restore_moments(checkpoint / kMomentsFile, optimizer);
    if (!restored.ok()) {
      Error error = std::move(restored).error();
      if (error.code != ErrorCode::conflict) error.hint = kRemove;
      return error;
    }
    optimizer.set_steps(json.at("optimizer_steps").get<int64_t>());
    return state_from(json.at("state"));
  } catch (const nlohmann::json::exception& error) {
    return corrupt(error.what());
  }
}

}  // namespace quern::train
