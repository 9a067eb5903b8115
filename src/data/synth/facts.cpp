#include "data/synth/facts.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/hash.h"
#include "data/synth/phrase.h"
#include "data/synth/scene.h"
#include "data/synth/words.h"

namespace quern::data::synth {

namespace {

using std::string_view;

// Facts of one form: subject, value, and how they are asked and answered with {s} and {v}.
struct FactTable {
  std::vector<string_view> questions;
  string_view answer;
  std::vector<std::pair<string_view, string_view>> facts;
};

const std::vector<FactTable> kTables = {
    {{"What colour is {s}?", "Which colour does {s} have?", "Tell me the colour of {s}.",
      "Do you know what colour {s} is?"},
     "The colour of {s} is {v}.",
     {{"a lemon", "yellow"},   {"a banana", "yellow"}, {"the sky", "blue"},     {"the sea", "blue"},
      {"grass", "green"},      {"a leaf", "green"},    {"snow", "white"},       {"milk", "white"},
      {"coal", "black"},       {"the night", "black"}, {"a tomato", "red"},     {"a strawberry", "red"},
      {"an elephant", "grey"}, {"a carrot", "orange"}, {"a pumpkin", "orange"}, {"chocolate", "brown"},
      {"a bear", "brown"},     {"a pig", "pink"},      {"a plum", "purple"},    {"a swan", "white"},
      {"the sun", "yellow"},   {"a frog", "green"},    {"a fire engine", "red"}}},
    {{"What does {s} say?", "Which sound does {s} make?", "How does {s} sound?", "Tell me what {s} says."},
     "{s} says {v}.",
     {{"a cow", "moo"},
      {"a dog", "woof"},
      {"a cat", "meow"},
      {"a duck", "quack"},
      {"a sheep", "baa"},
      {"a pig", "oink"},
      {"a hen", "cluck"},
      {"a lion", "roar"},
      {"a bee", "buzz"},
      {"an owl", "hoot"},
      {"a mouse", "squeak"},
      {"a horse", "neigh"},
      {"a frog", "croak"},
      {"a snake", "hiss"}}},
    {{"Where does {s} live?", "What is the home of {s}?", "Where can I find {s}?",
      "Tell me where {s} lives."},
     "{s} lives in {v}.",
     {{"a fish", "the water"},
      {"a bird", "a nest"},
      {"a bee", "a hive"},
      {"a bear", "the forest"},
      {"a camel", "the desert"},
      {"a cow", "a barn"},
      {"a king", "a castle"},
      {"a spider", "a web"},
      {"a whale", "the ocean"},
      {"a mole", "the ground"},
      {"a monkey", "the trees"},
      {"a penguin", "the snow"}}},
    {{"What is the opposite of {s}?", "Which word is the opposite of {s}?", "Tell me the opposite of {s}.",
      "What is not {s}?"},
     "The opposite of {s} is {v}.",
     {{"big", "small"},   {"hot", "cold"},   {"day", "night"},  {"up", "down"},    {"fast", "slow"},
      {"happy", "sad"},   {"old", "young"},  {"wet", "dry"},    {"full", "empty"}, {"open", "closed"},
      {"good", "bad"},    {"hard", "soft"},  {"light", "dark"}, {"loud", "quiet"}, {"near", "far"},
      {"long", "short"},  {"tall", "low"},   {"rich", "poor"},  {"early", "late"}, {"clean", "dirty"},
      {"strong", "weak"}, {"left", "right"}, {"first", "last"}}},
    {{"Which day comes after {s}?", "What day is it after {s}?", "Tell me the day after {s}.",
      "If today is {s}, what is tomorrow?"},
     "The day after {s} is {v}.",
     {{"Monday", "Tuesday"},
      {"Tuesday", "Wednesday"},
      {"Wednesday", "Thursday"},
      {"Thursday", "Friday"},
      {"Friday", "Saturday"},
      {"Saturday", "Sunday"},
      {"Sunday", "Monday"}}},
    {{"How many legs does {s} have?", "What number of legs does {s} have?", "Tell me how many legs {s} has.",
      "Do you know how many legs {s} has?"},
     "{s} has {v} legs.",
     {{"a dog", "four"},
      {"a cat", "four"},
      {"a spider", "eight"},
      {"a bird", "two"},
      {"a bee", "six"},
      {"an ant", "six"},
      {"a horse", "four"},
      {"a snake", "no"},
      {"a duck", "two"},
      {"a table", "four"},
      {"a fish", "no"},
      {"a frog", "four"},
      {"a child", "two"}}},
    {{"What is a young {s} called?", "What do we call a young {s}?", "Tell me the name of a young {s}.",
      "What is the word for a young {s}?"},
     "A young {s} is called a {v}.",
     {{"dog", "puppy"},
      {"cat", "kitten"},
      {"cow", "calf"},
      {"sheep", "lamb"},
      {"hen", "chick"},
      {"duck", "duckling"},
      {"horse", "foal"},
      {"bear", "cub"},
      {"pig", "piglet"},
      {"goat", "kid"},
      {"frog", "tadpole"},
      {"swan", "cygnet"}}},
    {{"What do we need to {s}?", "What do you use to {s}?", "Which thing helps us to {s}?",
      "Tell me what we use to {s}."},
     "We use {v} to {s}.",
     {{"cut paper", "scissors"},
      {"write", "a pencil"},
      {"sweep the floor", "a broom"},
      {"eat soup", "a spoon"},
      {"see at night", "a lamp"},
      {"open a lock", "a key"},
      {"brush our teeth", "a toothbrush"},
      {"dry our hands", "a towel"},
      {"stay dry in the rain", "an umbrella"},
      {"read the time", "a clock"},
      {"sleep", "a bed"},
      {"dig a hole", "a shovel"},
      {"hit a nail", "a hammer"},
      {"wash our hands", "soap"},
      {"cross the sea", "a ship"}}},
    {{"Who {s}?", "Which person {s}?", "Tell me who {s}.", "Do you know who {s}?"},
     "{v} {s}.",
     {{"bakes bread", "a baker"},
      {"teaches children", "a teacher"},
      {"helps sick people", "a doctor"},
      {"puts out fires", "a firefighter"},
      {"grows food", "a farmer"},
      {"catches fish", "a fisherman"},
      {"flies a plane", "a pilot"},
      {"paints pictures", "a painter"},
      {"brings letters", "a postman"},
      {"makes shoes", "a shoemaker"},
      {"sails a ship", "a sailor"},
      {"cuts hair", "a barber"},
      {"rules a country", "a king"}}},
};

// One of `count` phrasings: the one that hash keeps for held-out questions, or any other.
size_t phrasing(Side side, uint64_t hash, size_t count, Rng& rng) {
  const size_t kept = hash % count;
  return side == Side::held_out ? kept : (kept + 1 + rng.below(count - 1)) % count;
}

std::string word(uint64_t value) { return std::string(number(static_cast<int>(value))); }

// The question `asked`, and what is said of its value {c} and of another value.
Question with_value(string_view asked, string_view answer, string_view kind, Slots slots,
                    const std::string& value, const std::string& other, Rng& rng) {
  slots["c"] = value;
  Question question{expand(asked, slots, rng), expand(answer, slots, rng), std::string(kind),
                    expand("{c}.", slots, rng)};
  slots["c"] = other;
  question.wrong = expand(answer, slots, rng);
  return question;
}

// Too many by one, or too few.
uint64_t next_to(uint64_t value, uint64_t a) { return a % 2 == 0 || value == 0 ? value + 1 : value - 1; }

// Phrasings over {a} {b}, an answer over {a} {b} {c}.
Question about_numbers(Side side, string_view kind, std::span<const string_view> questions,
                       string_view answer, uint64_t a, uint64_t b, uint64_t c, Rng& rng) {
  const std::string key = std::string(kind) + word(a) + " " + word(b);
  const string_view question = questions[phrasing(side, hash64(key), questions.size(), rng)];
  return with_value(question, answer, kind, {{"a", word(a)}, {"b", word(b)}}, word(c), word(next_to(c, a)),
                    rng);
}

Question sum(Side side, Rng& rng) {
  static constexpr string_view kQuestions[] = {"What is {a} plus {b}?", "How much is {a} plus {b}?",
                                               "What do we get for {a} plus {b}?", "Add {a} and {b}."};
  const uint64_t a = 1 + rng.below(9), b = 1 + rng.below(10 - a);
  return about_numbers(side, "sum", kQuestions, "{a} plus {b} is {c}.", a, b, a + b, rng);
}

Question difference(Side side, Rng& rng) {
  static constexpr string_view kQuestions[] = {"What is {a} minus {b}?", "How much is {a} minus {b}?",
                                               "What do we get for {a} minus {b}?", "Take {b} from {a}."};
  const uint64_t a = 2 + rng.below(9), b = 1 + rng.below(a - 1);
  return about_numbers(side, "difference", kQuestions, "{a} minus {b} is {c}.", a, b, a - b, rng);
}

Question comparison(Side side, Rng& rng) {
  static constexpr string_view kQuestions[] = {"Which is more, {a} or {b}?", "What is bigger, {a} or {b}?",
                                               "Which number is bigger, {a} or {b}?", "Is {a} or {b} more?"};
  const uint64_t a = 1 + rng.below(10), b = (a + rng.below(9)) % 10 + 1;
  const uint64_t more = std::max(a, b), less = std::min(a, b);
  Question question = about_numbers(side, "compare", kQuestions, "", a, b, 0, rng);
  constexpr string_view kAnswer = "{more} is more than {less}.";
  question.answer = expand(kAnswer, {{"more", word(more)}, {"less", word(less)}}, rng);
  question.wrong = expand(kAnswer, {{"more", word(less)}, {"less", word(more)}}, rng);
  question.curt = expand("{more}.", {{"more", word(more)}}, rng);
  return question;
}

// Lists are held out by their content.
Question counting(Side side, Rng& rng) {
  for (;;) {
    const size_t count = 2 + rng.below(4);
    std::vector<string_view> things(finds().begin(), finds().end());
    std::string list;
    for (size_t i = 0; i < count; ++i) {
      std::swap(things[i], things[i + rng.below(things.size() - i)]);
      list += i == 0 ? "a " : i + 1 == count ? " and a " : ", a ";
      list += things[i];
    }
    const bool held = hash64(list) % 10 == 0;
    if (held != (side == Side::held_out)) continue;
    // The list stands in the phrase: the rule for "an" reads it.
    return with_value("How many things are these: " + list + "?", "These are {c} things.", "counting", {},
                      word(count), word(next_to(count, count)), rng);
  }
}

}  // namespace

Question fact_question(Side side, Rng& rng) {
  size_t total = 0;
  for (const FactTable& table : kTables) total += table.facts.size();
  size_t index = rng.below(total);
  const FactTable* table = kTables.data();
  for (; index >= table->facts.size(); ++table) index -= table->facts.size();
  const auto& [subject, value] = table->facts[index];
  const Slots slots = {{"s", std::string(subject)}, {"v", std::string(value)}};
  size_t other = index;
  while (table->facts[other].second == value) other = (other + 1) % table->facts.size();
  const Slots wrong = {{"s", std::string(subject)}, {"v", std::string(table->facts[other].second)}};
  const size_t which = phrasing(side, hash64(std::string(table->questions[0]) + std::string(subject)),
                                table->questions.size(), rng);
  return {expand(table->questions[which], slots, rng), expand(table->answer, slots, rng), "fact",
          expand("{v}.", slots, rng), expand(table->answer, wrong, rng)};
}

Question number_question(Side side, Rng& rng) {
  switch (rng.below(4)) {
    case 0:
      return sum(side, rng);
    case 1:
      return difference(side, rng);
    case 2:
      return comparison(side, rng);
    default:
      return counting(side, rng);
  }
}

Question story_problem(Side side, Rng& rng) {
  for (;;) {
    Slots slots = draw_scene(rng);
    const bool more = rng.below(2) == 0;
    const uint64_t a = 2 + rng.below(8), b = 1 + rng.below(more ? 10 - a : a - 1);
    slots["a"] = word(a), slots["b"] = word(b);
    const bool held =
        hash64(slots["hero"] + slots["friend"] + slots["food"] + slots["a"] + slots["b"]) % 10 == 0;
    if (held != (side == Side::held_out)) continue;
    const string_view told = more ? "{hero} had {a} {food}. {friend} gave {him} {b} more."
                                  : "{hero} had {a} {food}. {he} gave {friend} {b} of them.";
    const string_view answer = more ? "{a} plus {b} is {c}." : "{a} minus {b} is {c}.";
    const uint64_t c = more ? a + b : a - b;
    return with_value(std::string(told) + " How many {food} did {hero} have then?", answer, "problem",
                      std::move(slots), word(c), word(next_to(c, a)), rng);
  }
}

Question general_question(Side side, Rng& rng) {
  switch (rng.below(4)) {
    case 0:
      return number_question(side, rng);
    case 1:
      return story_problem(side, rng);
    default:
      return fact_question(side, rng);
  }
}

}  // namespace quern::data::synth
