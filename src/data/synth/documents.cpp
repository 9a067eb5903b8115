#include "data/synth/documents.h"

#include <algorithm>

#include "data/synth/phrase.h"
#include "data/synth/scene.h"
#include "data/synth/story.h"
#include "data/synth/sums.h"
#include "text/own_chat_form.h"

namespace quern::data::synth {

namespace {

using Messages = nlohmann::ordered_json;  // a list of {"role", "content"}

// Streams of random numbers; the document or question number is added.
constexpr uint64_t kTrainStream = uint64_t{0x5701} << 48, kHeldOutStream = uint64_t{0x5702} << 48,
                   kQuestionStream = uint64_t{0x5703} << 48, kPlainTrainStream = uint64_t{0x5704} << 48,
                   kPlainHeldOutStream = uint64_t{0x5705} << 48;

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
    Question question = general_question(side, rng);
    say(turns, std::move(question.prompt), std::move(question.answer));
  }
  if (rng.below(5) == 0)
    say(turns, expand("(Thank you|Thanks|Goodbye)!", {}, rng), "You are welcome. Goodbye!");
  return turns;
}

// A story, and then most of what can be said about it, in any order: as a conversation about it, without the questions.
std::string retold(Story story, Rng& rng) {
  shuffle(story.questions, rng);
  story.questions.resize(std::min<size_t>(story.questions.size(), 6 + rng.below(5)));
  for (const Question& question : story.questions) story.text += " " + question.answer;
  return std::move(story.text);
}

std::string truths(Side side, Rng& rng) {
  std::string text;
  for (uint64_t i = 0; i < 12; ++i)
    text += (i == 0 ? "" : " ") + (i % 3 == 0 ? number_question(side, rng) : fact_question(side, rng)).answer;
  return text;
}

}  // namespace

std::string make_plain_document(Side side, uint64_t seed, uint64_t index) {
  Rng rng(seed, (side == Side::train ? kPlainTrainStream : kPlainHeldOutStream) + index);
  const uint64_t kind = rng.below(100);
  if (kind < 30) return retold(plot_story(side, rng), rng);
  if (kind < 80) return retold(fact_story(side, 1, rng), rng);
  return kind < 88 ? truths(side, rng) : small_equations(rng);
}

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
