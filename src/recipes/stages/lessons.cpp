// kind: lessons. What a model of the synthetic world is tuned on and judged by (data/synth/lessons.h).
#include "data/synth/lessons.h"

#include "recipes/stage.h"

namespace quern::recipes {

namespace {

class LessonsStage final : public Stage {
 public:
  void fields(Fields& f) override {
    f.add("conversations", options_.conversations, "conversations to tune on").at_least(1);
    f.add("preferences", options_.preferences, "pairs of answers of which one is preferred").at_least(1);
    f.add("sums", options_.sums, "sums to learn by their results").at_least(1);
    f.add("questions", options_.questions, "held-out questions").at_least(1);
    f.add("held_out_sums", options_.held_out_sums, "held-out sums").at_least(1);
    f.add("seed", options_.seed, "same seed, same bytes");
  }
  std::vector<std::string> inputs() const override { return {}; }
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    QUERN_TRY(const data::synth::LessonReport report,
              data::synth::write_lessons(context.out.string(), options_, *context.progress));
    return data::synth::as_json(report);
  }

 private:
  data::synth::LessonOptions options_;
};

}  // namespace

StageKind lessons_stage() {
  return {"lessons", "conversations, preferences and sums to tune on, and held-out questions", 1,
          [] { return std::unique_ptr<Stage>(std::make_unique<LessonsStage>()); }};
}

}  // namespace quern::recipes
