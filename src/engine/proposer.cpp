#include "engine/proposer.h"

#include "engine/draft_proposer.h"
#include "engine/ngram_proposer.h"

namespace quern::engine {

Result<std::unique_ptr<Proposer>> make_proposer(const SpeculationOptions& options,
                                                const infer::LoadedModel& loaded, int64_t blocks) {
  std::unique_ptr<Proposer> proposer;
  switch (options.kind) {
    case SpeculationOptions::Kind::none:
      break;
    case SpeculationOptions::Kind::ngram:
      proposer = std::make_unique<NgramProposer>();
      break;
    case SpeculationOptions::Kind::draft: {
      QUERN_TRY(proposer, DraftProposer::create(options.draft, loaded, blocks));
      break;
    }
  }
  return proposer;
}

}  // namespace quern::engine
