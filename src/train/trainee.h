// What a run trains: a whole model, or an adapter beside one that stays as it is.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "formats/peft.h"
#include "model/decoder.h"
#include "model/encoder.h"
#include "model/encoder_decoder.h"

namespace quern::train {

// What is trained must outlive it and stay where it is. Not thread-safe.
class Trainee {
 public:
  virtual ~Trainee() = default;

  // What learns.
  virtual nn::Module& parameters() = 0;
  // Of activations and of the matrices they meet, those that do not learn among them.
  virtual void set_compute_dtype(DType dtype) = 0;
  // Files that restore() reads: masters in f32. The final ones are those that people use.
  virtual Result<void> save(const std::filesystem::path& folder, bool final) const = 0;
  // conflict where the files are of other parameters.
  virtual Result<void> restore(const std::filesystem::path& folder) = 0;
  // Of the final files in the folder of a run: "model", "adapter".
  virtual std::string_view folder() const = 0;
};

// Gives `module` the values that `saved`, a module of the same names and shapes, has: what restore() is made of.
// conflict, naming `folder`, where it lacks any.
Result<void> take_values(nn::Module& module, const nn::Module& saved, const std::filesystem::path& folder);

// All parameters of a model, of one of the kinds below.
template <class Model>
class Whole final : public Trainee {
 public:
  explicit Whole(Model& model) : model_(model) {}

  nn::Module& parameters() override { return model_; }
  void set_compute_dtype(DType dtype) override { model_.set_compute_dtype(dtype); }
  Result<void> save(const std::filesystem::path& folder, bool final) const override;
  Result<void> restore(const std::filesystem::path& folder) override;
  std::string_view folder() const override { return "model"; }

 private:
  Model& model_;
};
using WholeModel = Whole<model::Decoder>;
using WholeEncoder = Whole<model::Encoder>;
using WholeEncoderDecoder = Whole<model::EncoderDecoder>;

// An adapter. Passes of the model whose context names no adapters go through it.
class AdapterOfModel final : public Trainee {
 public:
  // `settings` are written beside the weights.
  AdapterOfModel(model::Decoder& model, nn::Adapter& adapter, formats::PeftConfig settings);
  ~AdapterOfModel() override;

  nn::Module& parameters() override { return adapter_; }
  void set_compute_dtype(DType dtype) override;
  Result<void> save(const std::filesystem::path& folder, bool final) const override;
  Result<void> restore(const std::filesystem::path& folder) override;
  std::string_view folder() const override { return "adapter"; }

 private:
  model::Decoder& model_;
  nn::Adapter& adapter_;
  formats::PeftConfig settings_;
};

}  // namespace quern::train
