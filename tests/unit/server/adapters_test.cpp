// /v1/adapters, and requests that name an adapter.
#include "server/adapters.h"

#include "base/rng.h"
#include "model/lora.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"
#include "unit/server/api_fixture.h"

namespace quern::server::test {
namespace {

using testing::HasSubstr;

ServedModel tiny_model(const std::string& name) {
  model::ModelConfig config = model::tiny_config("llama");
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  config.vocab_size = tokenizer.vocab_size();
  config.max_positions = 200;
  const auto loaded = std::make_shared<const infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = tokenizer, .templates = text::own_chat_form(), .end_tokens = {0}},
                         model::Decoder::create(config, 3).value()});
  return serve_model(name, loaded, {}, 64).value();
}

class AdapterRoutesTest : public ApiTest {
 protected:
  AdapterRoutesTest() {
    models_ = ModelTable();
    models_.add(tiny_model("base"));
    write_adapter("first", 1);
    write_adapter("second", 2);
    add_adapters(router_, models_, {.folder = folder_, .changed = [this] { ++changes_; }});
  }
  void write_adapter(const std::string& name, uint64_t seed) const {
    const infer::LoadedModel& loaded = *models_.all().front().model->loaded;
    const formats::PeftConfig settings{.rank = 2, .targets = {std::string(model::kAllLinear)}};
    nn::LoraAdapter adapter = model::make_lora(loaded.model, loaded.model.config(), settings, seed).value();
    adapter.visit([&](const std::string& path, nn::Parameter& p) {
      Tensor value(p.shape(), DType::f32);
      Rng rng(seed, path.size());
      for (float& number : value.span<float>()) number = static_cast<float>(0.5 * rng.normal());
      p.assign(value);
    });
    model::save_lora(adapter, loaded.model.config(), settings, folder_ / name).value();
  }
  std::string say(const Json& how = Json::object(), std::string* model = nullptr) {
    Json body = {{"prompt", "abc"}, {"temperature", 0}, {"max_tokens", 12}, {"ignore_eos", true}};
    body.update(how);
    const Json answer = post("/v1/completions", body);
    if (model != nullptr) *model = answer["model"];
    return answer["choices"][0]["text"];
  }
  Json load(const std::string& name, const std::string& path, int status = 200) {
    return post("/v1/adapters", {{"name", name}, {"path", path}}, status);
  }

  const std::filesystem::path folder_ = quern::test::process_temp_dir() / "adapters";
  int changes_ = 0;
};

TEST_F(AdapterRoutesTest, AreLoadedNamedAndUnloaded) {
  const std::string plain = say(Json::object());
  EXPECT_EQ(load("ada", "first")["model"], "base");
  EXPECT_EQ(load("bob", "second")["rank"], 2);
  EXPECT_EQ(changes_, 2);
  std::string model;
  const std::string ada = say({{"model", "ada"}}, &model);
  EXPECT_EQ(model, "base:ada");
  EXPECT_NE(ada, plain);
  EXPECT_EQ(say({{"model", "base:ada"}}), ada);
  EXPECT_EQ(say({{"model", "base"}, {"adapter", "ada"}}), ada);
  EXPECT_EQ(say({{"adapter", "ada"}}), ada);
  EXPECT_NE(say({{"model", "bob"}}), ada);
  EXPECT_EQ(say({{"model", "base"}}, &model), plain);
  EXPECT_EQ(model, "base");

  const Json list = Json::parse(ask("GET", "/v1/models")->body())["data"];
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[1]["id"], "ada");
  EXPECT_EQ(list[1]["parent"], "base");
  EXPECT_EQ(Json::parse(ask("GET", "/v1/adapters")->body())["data"].size(), 2u);

  EXPECT_EQ(Json::parse(ask("DELETE", "/v1/adapters/ada")->body())["deleted"], true);
  EXPECT_EQ(ask("DELETE", "/v1/adapters/ada")->status(), 404);
  EXPECT_THAT(refusal("/v1/completions", {{"model", "ada"}, {"prompt", "a"}}, 404),
              HasSubstr("'ada' does not exist"));
  EXPECT_THAT(refusal("/v1/completions", {{"adapter", "ada"}, {"prompt", "a"}}, 404),
              HasSubstr("no adapter 'ada'"));
}

// Keys and values that one adapter made are not another's of the same name.
TEST_F(AdapterRoutesTest, OfTheSameNameTakesTheOldOnesPlace) {
  load("ada", "first");
  const std::string prompt(150, 'x');  // more than a block of the cache
  const std::string first = say({{"model", "ada"}, {"prompt", prompt}});
  load("ada", "second");
  const std::string second = say({{"model", "ada"}, {"prompt", prompt}});
  EXPECT_NE(first, second);
  load("ada", "first");
  EXPECT_EQ(say({{"model", "ada"}, {"prompt", prompt}}), first);
}

TEST_F(AdapterRoutesTest, AreNamedAsVllmDoes) {
  post("/v1/load_lora_adapter", {{"lora_name", "ada"}, {"lora_path", "first"}});
  EXPECT_NE(say({{"model", "ada"}}), say(Json::object()));
  post("/v1/unload_lora_adapter", {{"lora_name", "ada"}});
  EXPECT_EQ(models_.all().front().model->adapters->find("ada"), nullptr);
}

TEST_F(AdapterRoutesTest, ComeFromTheirFolderAlone) {
  for (const char* path : {"..", "../adapters", "/etc", "first/../..", "", "."})
    EXPECT_THAT(load("ada", path, 403)["error"]["message"].get<std::string>(), HasSubstr("not below"))
        << path;
  EXPECT_EQ(load("ada", "missing", 404)["error"]["type"], "not_found_error");
  for (const char* name : {"", "a/b", "a:b", "a b"}) EXPECT_EQ(load(name, "first", 400).size(), 1u) << name;
  load("base", "first", 409);
  EXPECT_EQ(changes_, 0);
  Router closed = api_routes(models_);
  add_adapters(closed, models_, {});
  std::swap(router_, closed);
  EXPECT_THAT(load("ada", "first", 403)["error"]["message"].get<std::string>(), HasSubstr("--adapter-dir"));
}

TEST_F(AdapterRoutesTest, AreChangedByAdministratorsAlone) {
  caller_ = std::make_shared<const Caller>(Caller{.name = "guest"});
  EXPECT_THAT(load("ada", "first", 403)["error"]["message"].get<std::string>(), HasSubstr("'guest'"));
  EXPECT_EQ(ask("DELETE", "/v1/adapters/ada")->status(), 403);
  caller_ = std::make_shared<const Caller>(Caller{.name = "root", .admin = true});
  load("ada", "first");
  caller_ = std::make_shared<const Caller>(Caller{.name = "other", .models = {"another"}});
  EXPECT_EQ(post("/v1/completions", {{"model", "ada"}, {"prompt", "a"}}, 403).size(), 1u);
  EXPECT_EQ(Json::parse(ask("GET", "/v1/adapters")->body())["data"].size(), 0u);
}

}  // namespace
}  // namespace quern::server::test
