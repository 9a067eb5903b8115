#include "store/gather.h"
#include "store/hub.h"

namespace quern::store {

Result<void> gather_hub(Gathering& gathering) {
  const Source& source = gathering.source;
  QUERN_TRY(HubSettings settings, hub_settings());
  Hub hub(gathering.client, std::move(settings));
  QUERN_TRY(const HubListing listing, hub.list(source.name, source.revision));
  gathering.revision = listing.commit;
  std::vector<ListedFile> listed;
  for (const HubFile& file : listing.files) listed.push_back({file.path, file.size});
  QUERN_TRY(const std::vector<ChosenFile> chosen,
            choose_model_files(listed, source.selector, "hf:" + source.name));
  const std::string& first = chosen.front().name;
  QUERN_CHECK(gathering.claim(first.ends_with(".gguf") ? readable_name(first) : source.name));

  std::vector<Job> jobs;
  for (const ChosenFile& choice : chosen) {
    const HubFile& file = listing.files[choice.index];
    jobs.push_back({.request = hub.file_request(source.name, listing.commit, file.path),
                    .expected = {.size = file.size, .sha256 = file.sha256},
                    .name = choice.name});
  }
  Result<std::vector<Downloaded>> done = gathering.fetch(jobs);
  if (!done.ok()) {
    Error error = std::move(done).error();
    const bool refused = error.code == ErrorCode::permission || error.code == ErrorCode::not_found;
    return refused ? hub.explain(std::move(error), source.name, source.revision) : error;
  }
  for (size_t i = 0; i < jobs.size(); ++i)
    QUERN_CHECK(
        gathering.place(gathering.staging.downloads() / jobs[i].name, jobs[i].name, (*done)[i].sha256));
  return {};
}

}  // namespace quern::store
