#include "data/synth/lessons.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "base/file.h"
#include "base/interrupt.h"
#include "data/synth/documents.h"
#include "data/synth/manners.h"
#include "data/synth/phrase.h"
#include "data/synth/scene.h"
#include "data/synth/story.h"
#include "data/synth/sums.h"

namespace quern::data::synth {

namespace {

using Json = nlohmann::ordered_json;
using Prompts = std::unordered_set<std::string>;

// Streams of random numbers; the number of the example is added.
constexpr uint64_t kConversationStream = uint64_t{0x5706} << 48, kPreferenceStream = uint64_t{0x5707} << 48,
                   kSumStream = uint64_t{0x5708} << 48, kHeldOutSumStream = uint64_t{0x5709} << 48;

void say(Json& turns, std::string user, std::string assistant) {
  turns.push_back({{"role", "user"}, {"content", std::move(user)}});
  turns.push_back({{"role", "assistant"}, {"content", std::move(assistant)}});
}

std::string in_any_manner(const Question& question, Rng& rng) {
  return put(question, static_cast<Manner>(rng.below(3)), rng);
}

// Most of what can be asked about a story, in any order.
void talk_about(Story story, Json& turns, Rng& rng) {
  shuffle(story.questions, rng);
  story.questions.resize(std::min<size_t>(story.questions.size(), 6 + rng.below(5)));
  for (const Question& question : story.questions)
    say(turns, (turns.empty() ? story.text + " " : "") + question.prompt, in_any_manner(question, rng));
}

// Two sums in five are answered in steps: the likelier way is the harder one.
std::string answer_sum(const Sum& sum, Rng& rng) {
  return rng.below(5) < 2 ? answer_in_steps(sum) : answer_at_once(sum);
}

// Rows of a file.
struct Writer {
  AtomicFile file;
  int64_t rows = 0;

  static Result<Writer> create(const std::filesystem::path& path) {
    QUERN_TRY(AtomicFile file, AtomicFile::create(path.string()));
    return Writer{std::move(file)};
  }
  Result<void> write(const Json& row) {
    throw_if_interrupted();
    ++rows;
    return file.write(row.dump() + "\n");
  }
};

Result<void> write_conversations(const std::filesystem::path& path, const LessonOptions& options,
                                 Prompts& prompts) {
  QUERN_TRY(Writer writer, Writer::create(path));
  for (int64_t i = 0; i < options.conversations; ++i) {
    const Json messages = make_conversation(options.seed, static_cast<uint64_t>(i));
    for (const Json& message : messages)
      if (message["role"] == "user") prompts.insert(message["content"].get<std::string>());
    QUERN_CHECK(writer.write({{"messages", messages}}));
  }
  return writer.file.commit();
}

Result<void> write_preferences(const std::filesystem::path& path, const LessonOptions& options,
                               Prompts& prompts) {
  QUERN_TRY(Writer writer, Writer::create(path));
  for (int64_t i = 0; i < options.preferences; ++i) {
    const PreferencePair pair = make_preference(options.seed, static_cast<uint64_t>(i));
    prompts.insert(pair.prompt);
    QUERN_CHECK(
        writer.write({{"prompt", pair.prompt}, {"chosen", pair.chosen}, {"rejected", pair.rejected}}));
  }
  return writer.file.commit();
}

// Calls `keep` with every prompt; writes those for which it says so, and returns how many.
template <class Keep>
Result<int64_t> write_sums(const std::filesystem::path& path, Side side, int64_t count, uint64_t seed,
                           const Keep& keep) {
  const uint64_t stream = side == Side::train ? kSumStream : kHeldOutSumStream;
  QUERN_TRY(Writer writer, Writer::create(path));
  for (int64_t i = 0; i < count; ++i) {
    Rng rng(seed, stream + static_cast<uint64_t>(i));
    const Sum sum = draw_sum(side, rng);
    const std::string prompt = ask_sum(sum, rng);
    if (keep(prompt))
      QUERN_CHECK(writer.write({{"prompt", prompt}, {"answer", std::to_string(sum.value())}}));
  }
  QUERN_CHECK(writer.file.commit());
  return writer.rows;
}

template <class Keep>
Result<int64_t> write_questions(const std::filesystem::path& path, const LessonOptions& options,
                                const Keep& keep) {
  QUERN_TRY(Writer writer, Writer::create(path));
  for (int64_t i = 0; i < options.questions; ++i) {
    const Question question = make_question(options.seed, static_cast<uint64_t>(i));
    if (keep(question.prompt))
      QUERN_CHECK(writer.write({{"prompt", question.prompt},
                                {"answer", question.answer},
                                {"curt", question.curt},
                                {"kind", question.kind}}));
  }
  QUERN_CHECK(writer.file.commit());
  return writer.rows;
}

}  // namespace

Json make_conversation(uint64_t seed, uint64_t index) {
  Rng rng(seed, kConversationStream + index);
  Json turns = Json::array();
  const uint64_t kind = rng.below(100);
  if (kind < 25) {
    talk_about(plot_story(Side::train, rng), turns, rng);
  } else if (kind < 72) {
    talk_about(fact_story(Side::train, 1, rng), turns, rng);
  } else if (kind < 76) {
    const Story story = plot_story(Side::train, rng);
    say(turns, expand("(Tell me|Please tell me) a story about {topic}.", {{"topic", story.topic}}, rng),
        story.text);
  } else if (kind < 88) {
    for (uint64_t i = 4 + rng.below(4); i > 0; --i) {
      const Question question = general_question(Side::train, rng);
      say(turns, question.prompt, in_any_manner(question, rng));
    }
  } else {
    for (uint64_t i = 4 + rng.below(4); i > 0; --i) {
      const Sum sum = draw_sum(Side::train, rng);
      std::string asked = ask_sum(sum, rng);
      say(turns, std::move(asked), answer_sum(sum, rng));
    }
  }
  return turns;
}

PreferencePair make_preference(uint64_t seed, uint64_t index) {
  Rng rng(seed, kPreferenceStream + index);
  Question question;
  if (const uint64_t kind = rng.below(8); kind < 3) {
    question = general_question(Side::train, rng);
  } else {
    const Story story = kind < 5 ? plot_story(Side::train, rng) : fact_story(Side::train, 2, rng);
    question = pick(story.questions, rng);
    question.prompt = story.text + " " + question.prompt;
  }
  const uint64_t fault = rng.below(3);
  std::string rejected = put(question, Manner::rambling, rng);
  if (fault == 1 && !question.curt.empty()) rejected = question.curt;
  if (fault == 2 && !question.wrong.empty()) rejected = question.wrong;
  return {question.prompt, question.answer, rejected};
}

Json as_json(const LessonReport& report) {
  const LessonOptions& w = report.written;
  return {{"conversations", w.conversations},
          {"preferences", w.preferences},
          {"sums", w.sums},
          {"questions", w.questions},
          {"held_out_sums", w.held_out_sums},
          {"seen_prompts", report.seen_prompts}};
}

Result<LessonReport> write_lessons(const std::string& folder, const LessonOptions& options,
                                   Progress& progress) {
  for (const int64_t count :
       {options.conversations, options.preferences, options.sums, options.questions, options.held_out_sums}) {
    if (count >= 1) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("lessons: expected at least one of each kind, got {}", count));
  }
  const std::filesystem::path out(folder);
  QUERN_CHECK(make_directories(out / "sums"));
  ProgressScope scope(progress, "writing lessons", 4, "files");
  LessonReport report{options};
  Prompts learnt, asked;
  QUERN_CHECK(write_conversations(out / "conversations.jsonl", options, learnt));
  scope.update(1);
  QUERN_CHECK(write_preferences(out / "preferences.jsonl", options, learnt));
  scope.update(2);
  const auto learn = [&](const std::string& prompt) {
    learnt.insert(prompt);
    return true;
  };
  const auto hold_out = [&](const std::string& prompt) {
    const bool fresh = asked.insert(prompt).second;
    if (fresh && learnt.contains(prompt)) ++report.seen_prompts;
    return fresh;
  };
  LessonOptions& written = report.written;
  QUERN_TRY(written.sums,
            write_sums(out / "sums/train.jsonl", Side::train, options.sums, options.seed, learn));
  QUERN_TRY(written.held_out_sums, write_sums(out / "sums/validation.jsonl", Side::held_out,
                                              options.held_out_sums, options.seed, hold_out));
  scope.update(3);
  QUERN_TRY(written.questions, write_questions(out / "questions.jsonl", options, hold_out));
  QUERN_CHECK(write_file_atomic(out / "report.json", as_json(report).dump(2) + "\n"));
  return report;
}

std::optional<Question> read_question(const Json& row) {
  const auto text = [&](const char* name) {
    const auto found = row.find(name);
    return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!row.is_object()) return std::nullopt;
  Question question{text("prompt"), text("answer"), text("kind"), text("curt")};
  if (question.prompt.empty() || question.answer.empty() || question.kind.empty()) return std::nullopt;
  return question;
}

}  // namespace quern::data::synth
