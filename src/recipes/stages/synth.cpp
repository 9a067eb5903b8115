// kind: synth. A seeded corpus of stories, conversations and questions (data/synth).
#include "data/synth/corpus.h"
#include "recipes/stage.h"

namespace quern::recipes {

namespace {

class SynthStage final : public Stage {
 public:
  void fields(Fields& f) override {
    f.add("documents", options_.documents, "training documents").at_least(1);
    f.add("questions", options_.questions, "held-out questions").at_least(1);
    f.add("plain", options_.plain, "documents are stories and what is true, without conversations");
    f.add("seed", options_.seed, "same seed, same bytes");
  }
  std::vector<std::string> inputs() const override { return {}; }
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    QUERN_TRY(const data::synth::CorpusReport report,
              data::synth::write_corpus(context.out.string(), options_, *context.progress));
    return data::synth::as_json(report);
  }

 private:
  data::synth::CorpusOptions options_;
};

}  // namespace

StageKind synth_stage() {
  return {"synth", "a seeded corpus of stories, conversations and questions", 1,
          [] { return std::unique_ptr<Stage>(std::make_unique<SynthStage>()); }};
}

}  // namespace quern::recipes
