#include "cli/speculation_flags.h"

#include <memory>
#include <utility>

#include "infer/loaded_model.h"
#include "store/store.h"

namespace quern::cli {

void SpeculationFlags::define(CLI::App& app) {
  app.add_option(
         "--speculate", kind_,
         "guess tokens ahead by what followed the last ones before (ngram), or not (none): faster, the same "
         "answers")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "ngram"}));
  app.add_option("--draft", draft_, "guess tokens ahead by this smaller model of the same tokens");
  app.add_option("--draft-tokens", most_, "tokens that are guessed of an answer at a time, where it pays")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
}

Result<engine::SpeculationOptions> SpeculationFlags::open(DType dtype, bool pack) const {
  using Kind = engine::SpeculationOptions::Kind;
  engine::SpeculationOptions options{.kind = kind_ == "ngram" ? Kind::ngram : Kind::none, .most = most_};
  if (draft_.empty()) return options;
  if (options.kind != Kind::none) {
    return make_error(ErrorCode::invalid_argument, "--speculate ngram and --draft both say how to guess",
                      "give one of them");
  }
  QUERN_TRY(const auto path, store::Store().resolve(draft_));
  QUERN_TRY(infer::LoadedModel opened, infer::open_model(path, dtype, pack));
  options.kind = Kind::draft;
  options.draft = std::make_shared<const infer::LoadedModel>(std::move(opened));
  return options;
}

}  // namespace quern::cli
