// kind: tokenizer. A byte-level BPE tokenizer trained on text; its results are a folder with tokenizer.json.
#include "recipes/stage.h"
#include "recipes/tokenizer_training.h"

namespace quern::recipes {

namespace {

class TokenizerStage final : public Stage {
 public:
  void fields(Fields& f) override { config_.fields(f); }
  std::vector<std::string> inputs() const override { return config_.inputs; }
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    QUERN_TRY(const TrainedTokenizer trained, train_tokenizer(config_, context.out, *context.progress));
    return nlohmann::ordered_json{{"vocab_size", trained.tokenizer.vocab_size()},
                                  {"documents", trained.corpus.documents},
                                  {"bytes", trained.corpus.bytes}};
  }

 private:
  TokenizerConfig config_;
};

}  // namespace

StageKind tokenizer_stage() {
  return {"tokenizer", "a byte-level BPE tokenizer trained on text", 2,
          [] { return std::unique_ptr<Stage>(std::make_unique<TokenizerStage>()); }};
}

}  // namespace quern::recipes
