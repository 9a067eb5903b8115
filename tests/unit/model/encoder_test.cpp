// Encoder against tiny checkpoints recorded from transformers (tools/goldens/encoders.py), which hold the weights of
// all heads, and what must hold whatever the weights.
#include "model/encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "autograd/graph.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/safetensors.h"
#include "model/load.h"
#include "model/save.h"
#include "ops/linear.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

namespace fs = std::filesystem;
const std::filesystem::path kEncoders = quern::test::kGolden / "encoders";

// An absent folder.
fs::path fresh_folder() {
  const auto* running = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(running->test_suite_name()) + "_" + running->name();
  std::ranges::replace(name, '/', '_');
  const fs::path folder = test::process_temp_dir() / name;
  fs::remove_all(folder);
  return folder;
}

// The recorded checkpoint of `family` as if transformers' `architecture` had saved it, with `changes` to its config.
fs::path checkpoint(const std::string& family, const std::string& architecture,
                    const nlohmann::json& changes = nlohmann::json::object()) {
  const fs::path folder = fresh_folder();
  nlohmann::json config = read_json_file(kEncoders / family / "config.json").value();
  config["architectures"] = {architecture};
  config.update(changes);
  make_directories(folder).value();
  write_file_atomic(folder / "config.json", config.dump()).value();
  fs::copy_file(kEncoders / family / "model.safetensors", folder / "model.safetensors");
  return folder;
}

struct Class {
  std::string family, stem, head;
};

std::vector<Class> classes() {
  std::vector<Class> all{{"electra", "Electra", "ForPreTraining"}};
  for (const auto& [family, stem] :
       std::initializer_list<std::pair<const char*, const char*>>{{"bert", "Bert"},
                                                                  {"roberta", "Roberta"},
                                                                  {"distilbert", "DistilBert"},
                                                                  {"albert", "Albert"},
                                                                  {"electra", "Electra"},
                                                                  {"mpnet", "MPNet"},
                                                                  {"deberta-v2", "DebertaV2"}}) {
    for (const char* head : {"Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
                             "ForQuestionAnswering"})
      all.push_back({family, stem, head});
  }
  return all;
}

class EncoderGolden : public testing::TestWithParam<Class> {
 protected:
  const std::string& head() const { return GetParam().head; }
  fs::path folder() const { return checkpoint(GetParam().family, GetParam().stem + head()); }
  Tensor given(const std::string& name) const { return archive_.tensor(name).value(); }
  bool wants(const std::string& name) const { return archive_.find(head() + "." + name) != nullptr; }
  Tensor expected(const std::string& name) const { return given(head() + "." + name); }
  Tensor types() const {
    return archive_.find("token_type_ids") ? given("token_type_ids").to(DType::i32) : Tensor();
  }
  std::vector<int64_t> lengths() const {
    const Tensor mask = given("attention_mask").to(DType::i32);
    std::vector<int64_t> result;
    for (int64_t b = 0; b < mask.dim(0); ++b) {
      const auto row = mask.span<int32_t>().subspan(static_cast<size_t>(b * mask.dim(1)),
                                                    static_cast<size_t>(mask.dim(1)));
      result.push_back(std::accumulate(row.begin(), row.end(), int64_t{0}));
    }
    return result;
  }
  // The part of [B, T, ...] that is text, row after row.
  Tensor text_of(const Tensor& padded) const {
    std::vector<float> kept;
    const int64_t time = padded.dim(1), width = padded.numel() / padded.dim(0) / time;
    const Tensor wide = padded.to(DType::f32);
    const std::vector<int64_t> rows = lengths();
    for (size_t b = 0; b < rows.size(); ++b) {
      const auto values = wide.span<float>().subspan(b * static_cast<size_t>(time * width),
                                                     static_cast<size_t>(rows[b] * width));
      kept.insert(kept.end(), values.begin(), values.end());
    }
    return Tensor::from(kept, {static_cast<int64_t>(kept.size())});
  }

  formats::TensorArchive archive_ =
      formats::TensorArchive::open(kEncoders / GetParam().family / "expected.safetensors").value();
};

// Column `c` of [B, T, 2].
Tensor column(const Tensor& values, int64_t c) {
  Tensor result({values.dim(0), values.dim(1)}, DType::f32);
  for (int64_t i = 0; i < result.numel(); ++i) result.data<float>()[i] = values.data<float>()[2 * i + c];
  return result;
}

TEST_P(EncoderGolden, OutputsAgreeWithTransformers) {
  const Encoder model = load_encoder(folder()).value();
  const autograd::NoGrad no_grad;
  const Tensor tokens = given("input_ids").to(DType::i32);
  const Tensor states = model.hidden(tokens, nn::ForwardContext::padded(lengths(), tokens.dim(1)), types());
  if (wants("last_hidden_state")) {
    EXPECT_LE(max_difference(text_of(states), text_of(expected("last_hidden_state"))), 1e-4);
  }
  EXPECT_EQ(model.has_head(), head() != "Model" || wants("pooler_output"));
  if (wants("pooler_output")) {
    EXPECT_LE(max_difference(model.head(states), expected("pooler_output")), 1e-4);
  }
  if (wants("logits")) {
    const Tensor got = model.head(states), wanted = expected("logits");
    const bool rows = wanted.dim(0) == got.dim(0) && head() == "ForSequenceClassification";
    EXPECT_LE(rows ? max_difference(got, wanted) : max_difference(text_of(got), text_of(wanted)), 1e-4);
  }
  if (wants("start_logits")) {
    const Tensor got = model.head(states);
    EXPECT_LE(max_difference(text_of(column(got, 0)), text_of(expected("start_logits"))), 1e-4);
    EXPECT_LE(max_difference(text_of(column(got, 1)), text_of(expected("end_logits"))), 1e-4);
  }
}

TEST_P(EncoderGolden, SavedAndLoadedIsTheSame) {
  const Encoder model = load_encoder(folder()).value();
  const fs::path again = fresh_folder() / "again";
  save_model(model, again, DType::f32).value();
  const Encoder loaded = load_encoder(again).value();
  ModelConfig before = model.config(), after = loaded.config();
  EXPECT_EQ(fields_of(after).to_yaml(), fields_of(before).to_yaml());
  std::map<std::string, Tensor> masters;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) { masters[name] = p.master(); });
  nn::visit(loaded, [&](const std::string& name, const nn::Parameter& p) {
    EXPECT_TRUE(same_bits(p.master(), masters.at(name))) << name;
  });
}

// A text alone, and beside a longer one: the same bits.
TEST_P(EncoderGolden, ResultsDoNotDependOnCompany) {
  const Encoder model = load_encoder(folder()).value();
  const autograd::NoGrad no_grad;
  const ops::BatchInvariant invariant;
  const Tensor tokens = given("input_ids").to(DType::i32);
  const int64_t time = tokens.dim(1), length = lengths()[1];
  ASSERT_LT(length, time);
  const Tensor all = model.hidden(tokens, nn::ForwardContext::padded(lengths(), time), types());
  const auto alone = [&](const Tensor& values) {
    return values.defined()
               ? values.sliced(1, 2).reshaped({time}).sliced(0, length).clone().reshaped({1, length})
               : Tensor();
  };
  const Tensor one =
      model.hidden(alone(tokens), nn::ForwardContext::padded(std::vector{length}, length), alone(types()));
  const Tensor second = all.sliced(1, 2).reshaped({time, all.dim(2)}).sliced(0, length).clone();
  EXPECT_TRUE(same_bits(one.reshaped({length, all.dim(2)}), second));
}

INSTANTIATE_TEST_SUITE_P(Families, EncoderGolden, testing::ValuesIn(classes()),
                         [](const auto& which) { return which.param.stem + which.param.head; });

std::string error_of(const Result<Encoder>& model) { return model.ok() ? "" : model.error().to_string(); }

TEST(LoadEncoder, TakesOldNamesAndNamesWithoutPrefix) {
  const fs::path folder = checkpoint("bert", "BertModel");
  const auto archive = formats::TensorArchive::open(folder / "model.safetensors").value();
  std::vector<formats::NamedTensor> tensors;
  for (const auto& entry : archive.entries()) {
    std::string name = entry.name;
    if (name.starts_with("bert.")) name = name.substr(5);
    if (const size_t at = name.find("LayerNorm.weight"); at != name.npos)
      name = name.substr(0, at) + "LayerNorm.gamma";
    if (const size_t at = name.find("LayerNorm.bias"); at != name.npos)
      name = name.substr(0, at) + "LayerNorm.beta";
    tensors.push_back({name, archive.tensor(entry.name).value().clone()});
  }
  tensors.push_back({"embeddings.position_ids", Tensor::zeros({1, 24}, DType::i64)});
  formats::write_weights(folder, tensors).value();
  EXPECT_EQ(error_of(load_encoder(folder)), "");
}

TEST(LoadEncoder, DoesWithoutAPoolerThatIsMissing) {
  const fs::path folder = checkpoint("bert", "BertModel");
  const auto archive = formats::TensorArchive::open(folder / "model.safetensors").value();
  std::vector<formats::NamedTensor> tensors;
  for (const auto& entry : archive.entries()) {
    if (!entry.name.starts_with("bert.pooler"))
      tensors.push_back({entry.name, archive.tensor(entry.name).value().clone()});
  }
  formats::write_weights(folder, tensors).value();
  const auto model = load_encoder(folder);
  ASSERT_EQ(error_of(model), "");
  EXPECT_FALSE(model->has_head());
}

TEST(LoadEncoder, NamesWhatItCannotOpen) {
  EXPECT_NE(error_of(load_encoder(checkpoint("bert", "BertForMultipleChoice")))
                .find("one of BertModel, BertForMaskedLM, BertForSequenceClassification"),
            std::string::npos);
  EXPECT_NE(error_of(load_encoder(checkpoint("bert", "BertForTokenClassification",
                                             {{"id2label", {{"0", "A"}, {"2", "B"}}}})))
                .find("id2label: expected an object with a text under each of \"0\" to \"1\""),
            std::string::npos);
  EXPECT_NE(
      error_of(load_encoder(checkpoint("bert", "BertModel", {{"position_embedding_type", "relative_key"}})))
          .find("position_embedding_type: expected absolute"),
      std::string::npos);
  const auto decoder = load_model(checkpoint("bert", "BertModel"));
  ASSERT_FALSE(decoder.ok());
  EXPECT_NE(decoder.error().to_string().find("'bert' is an encoder"), std::string::npos)
      << decoder.error().to_string();
}

TEST(LoadEncoder, KnowsWhatOutputsMean) {
  const auto problem = [](const nlohmann::json& changes) {
    return load_encoder(checkpoint("bert", "BertForSequenceClassification", changes))->config().problem;
  };
  EXPECT_EQ(problem(nlohmann::json::object()), Problem::single_label);
  EXPECT_EQ(problem({{"problem_type", "multi_label_classification"}}), Problem::multi_label);
  EXPECT_EQ(problem({{"problem_type", "regression"}}), Problem::regression);
}

}  // namespace
}  // namespace quern::model
