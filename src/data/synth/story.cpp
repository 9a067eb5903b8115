#include "data/synth/story.h"

#include <xxhash.h>

#include <algorithm>

#include "data/synth/plots.h"
#include "data/synth/scene.h"

namespace quern::data::synth {

namespace {

// One scene in this many is held out.
constexpr uint64_t kHeldOutScenes = 20;

Slots scene_of(Side side, Rng& rng) {
  for (;;) {
    Slots scene = draw_scene(rng);
    const std::string key = scene_key(scene);
    const bool held = XXH3_64bits(key.data(), key.size()) % kHeldOutScenes == 0;
    if (held == (side == Side::held_out)) return scene;
  }
}

// What was asked for: from the first slot of the answer that the question does not have to the last; of "who", one.
std::string_view asked_for(const Ask& ask) {
  size_t first = std::string_view::npos, last = 0;
  for (size_t open = ask.answer.find('{'); open != std::string_view::npos;
       open = ask.answer.find('{', open + 1)) {
    const size_t close = ask.answer.find('}', open) + 1;
    if (ask.question.find(ask.answer.substr(open, close - open)) != std::string_view::npos) continue;
    if (first == std::string_view::npos) first = open;
    if (last == 0 || ask.kind != "who") last = close;
  }
  return first == std::string_view::npos ? std::string_view() : ask.answer.substr(first, last - first);
}

// The scene with everything else than the question names: what a wrong answer says.
Slots mistaken(const Ask& ask, const Slots& scene) {
  Slots other = with_other_words(scene);
  for (const auto& [slot, value] : scene)
    if (ask.question.find("{" + slot + "}") != std::string_view::npos) other[slot] = value;
  return other;
}

Question question_of(const Ask& ask, const Slots& scene, Rng& rng) {
  Question question{expand(ask.question, scene, rng), expand(ask.answer, scene, rng), std::string(ask.kind)};
  const std::string_view value = asked_for(ask);
  if (value.empty()) return question;
  question.curt = expand(std::string(value) + ".", scene, rng);
  question.wrong = expand(ask.answer, mistaken(ask, scene), rng);
  return question;
}

void append_sentence(std::string& text, const std::string& sentence) {
  if (!text.empty()) text += ' ';
  text += sentence;
}

}  // namespace

Story plot_story(Side side, Rng& rng) {
  const Slots scene = scene_of(side, rng);
  const Plot& plot = pick(plots(), rng);
  Story story;
  story.topic = expand(plot.topic, scene, rng);
  for (const auto line : plot.lines) append_sentence(story.text, expand(line, scene, rng));
  for (const Ask& ask : plot.asks) story.questions.push_back(question_of(ask, scene, rng));
  return story;
}

Story fact_story(Side side, uint64_t least, Rng& rng) {
  const Slots scene = scene_of(side, rng);
  Story story;
  std::vector<std::string> sentences;
  for (const Slots& view : {scene, friend_view(scene)}) {
    std::vector<const FactLine*> lines;
    for (const FactLine& line : fact_lines()) lines.push_back(&line);
    shuffle(lines, rng);
    lines.resize(least + rng.below(4 - least));
    for (const FactLine* line : lines) {
      sentences.push_back(expand(line->text, view, rng));
      for (const Ask& ask : line->asks) story.questions.push_back(question_of(ask, view, rng));
    }
  }
  for (uint64_t i = rng.below(3); i > 0; --i) sentences.push_back(expand(pick(fillers(), rng), scene, rng));
  shuffle(sentences, rng);
  for (const std::string& sentence : sentences) append_sentence(story.text, sentence);
  return story;
}

}  // namespace quern::data::synth
