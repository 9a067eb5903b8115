#include "data/synth/documents.h"

#include <xxhash.h>

#include <algorithm>

#include "data/synth/plots.h"
#include "data/synth/scene.h"
#include "text/own_chat_form.h"

namespace quern::data::synth {

namespace {

using Messages = nlohmann::ordered_json;  // a list of {"role", "content"}

// Streams of random numbers; the document or question number is added.
constexpr uint64_t kTrainStream = uint64_t{0x5701} << 48, kHeldOutStream = uint64_t{0x5702} << 48,
                   kQuestionStream = uint64_t{0x5703} << 48;
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

template <class T>
void shuffle(std::vector<T>& items, Rng& rng) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.below(i)]);
}

void append_sentence(std::string& text, const std::string& sentence) {
  if (!text.empty()) text += ' ';
  text += sentence;
}

// A story and everything that can be asked about it.
struct Story {
  std::string topic;
  std::string text;
  std::vector<Question> questions;
};

Story plot_story(Side side, Rng& rng) {
  const Slots scene = scene_of(side, rng);
  const Plot& plot = pick(plots(), rng);
  Story story;
  story.topic = expand(plot.topic, scene, rng);
  for (const auto line : plot.lines) append_sentence(story.text, expand(line, scene, rng));
  for (const Ask& ask : plot.asks)
    story.questions.push_back(
        {expand(ask.question, scene, rng), expand(ask.answer, scene, rng), std::string(ask.kind)});
  return story;
}

// The scene as the friend sees it: what is said of {hero} is then said of the friend.
Slots friend_view(const Slots& scene) {
  Slots view = scene;
  for (const auto& [slot, value] : scene)
    if (const auto own = view.find(slot.substr(1)); slot[0] == 'f' && own != view.end()) own->second = value;
  view["hero"] = scene.find("friend")->second;
  return view;
}

// `least` to three facts about each of two children, in any order, with sentences between that do not matter. The
// shortest teach soonest who did what.
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
      for (const Ask& ask : line->asks)
        story.questions.push_back(
            {expand(ask.question, view, rng), expand(ask.answer, view, rng), std::string(ask.kind)});
    }
  }
  for (uint64_t i = rng.below(3); i > 0; --i) sentences.push_back(expand(pick(fillers(), rng), scene, rng));
  shuffle(sentences, rng);
  for (const std::string& sentence : sentences) append_sentence(story.text, sentence);
  return story;
}

Question chat_question(Side side, Rng& rng) {
  switch (rng.below(4)) {
    case 0:
      return number_question(side, rng);
    case 1:
      return story_problem(side, rng);
    default:
      return fact_question(side, rng);
  }
}

void say(Messages& turns, std::string user, std::string assistant) {
  turns.push_back({{"role", "user"}, {"content", std::move(user)}});
  turns.push_back({{"role", "assistant"}, {"content", std::move(assistant)}});
}

Messages request(const Story& story, Rng& rng) {
  Messages turns = Messages::array();
  say(turns,
      expand("(Tell me|Please tell me|Can you tell me) a story about {topic}.", {{"topic", story.topic}},
             rng),
      story.text);
  return turns;
}

// Most of what can be asked about a story, in any order: answers teach to look things up, a story read once does not.
Messages conversation_about(Story story, Rng& rng) {
  shuffle(story.questions, rng);
  story.questions.resize(std::min<size_t>(story.questions.size(), 6 + rng.below(5)));
  Messages turns = Messages::array();
  for (const Question& question : story.questions)
    say(turns, (turns.empty() ? story.text + " " : "") + question.prompt, question.answer);
  return turns;
}

Messages small_talk(Side side, Rng& rng) {
  Messages turns = Messages::array();
  switch (rng.below(6)) {
    case 0:
      say(turns, expand("(Hello|Hi|Good morning|Good evening)!", {}, rng),
          "Hello! What would you like to know?");
      break;
    case 1:
      say(turns, expand("(Who are you|What are you|What is your name)?", {}, rng),
          "I am Quern, a small language model. I tell stories and answer questions.");
      break;
    case 2:
      say(turns, expand("(What can you do|How can you help me|Can you help me)?", {}, rng),
          "I can tell you a story, answer questions about it, and add small numbers.");
      break;
    default:
      break;
  }
  for (uint64_t i = 4 + rng.below(4); i > 0; --i) {
    Question question = chat_question(side, rng);
    say(turns, std::move(question.prompt), std::move(question.answer));
  }
  if (rng.below(5) == 0)
    say(turns, expand("(Thank you|Thanks|Goodbye)!", {}, rng), "You are welcome. Goodbye!");
  return turns;
}

}  // namespace

std::string make_document(Side side, uint64_t seed, uint64_t index) {
  Rng rng(seed, (side == Side::train ? kTrainStream : kHeldOutStream) + index);
  const uint64_t kind = rng.below(100);
  if (kind < 12) return plot_story(side, rng).text;
  text::ChatRequest chat;
  Messages& turns = chat.messages;
  if (kind < 24)
    turns = request(plot_story(side, rng), rng);
  else if (kind < 42)
    turns = conversation_about(plot_story(side, rng), rng);
  else if (kind < 88)
    turns = conversation_about(fact_story(side, 1, rng), rng);
  else
    turns = small_talk(side, rng);
  return text::own_chat_form().render(chat).value().text;
}

Question make_question(uint64_t seed, uint64_t index) {
  Rng rng(seed, kQuestionStream + index);
  const uint64_t kind = index % 8;
  if (kind == 0) return fact_question(Side::held_out, rng);
  if (kind == 1) return number_question(Side::held_out, rng);
  if (kind == 2) return story_problem(Side::held_out, rng);
  const Story story = kind < 5 ? plot_story(Side::held_out, rng) : fact_story(Side::held_out, 2, rng);
  Question question = pick(story.questions, rng);
  question.prompt = story.text + " " + question.prompt;
  return question;
}

}  // namespace quern::data::synth
