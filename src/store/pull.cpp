#include "store/pull.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/gather.h"
#include "store/pip_settings.h"

namespace quern::store {

namespace {

Result<void> gather(Gathering& gathering) {
  switch (gathering.source.kind) {
    case SourceKind::hub:
      return gather_hub(gathering);
    case SourceKind::web:
      return gather_web(gathering);
    case SourceKind::package:
      return gather_package(gathering);
    case SourceKind::local:
      return gather_local(gathering);
  }
  throw InternalError("a source of no kind");
}

// What identifies a source later: a path is found again from other folders too, passwords and signatures are kept nowhere.
std::string recorded_source(const Source& source) {
  if (source.kind == SourceKind::local)
    return std::filesystem::absolute(source.path).lexically_normal().string();
  return source.kind == SourceKind::web ? source.url.display() : source.text;
}

Error with_resume_hint(Error error) {
  const bool may_pass = error.code == ErrorCode::cancelled || error.code == ErrorCode::unavailable ||
                        error.code == ErrorCode::deadline;
  if (may_pass && error.hint.empty()) error.hint = "what came is kept: the same command goes on from there";
  return error;
}

bool holds_files(const std::filesystem::path& folder) {
  const Result<std::vector<ListedFile>> files = list_files(folder);
  return !files.ok() || !files->empty();
}

HttpOptions http_options(const PullOptions& options, const Source& source) {
  HttpOptions http = options.http;
  if (http.ca_file.empty() && source.kind == SourceKind::package) http.ca_file = pip_settings().cert;
  return http;
}

}  // namespace

Result<PullOutcome> pull(const Store& store, const Source& source, const PullOptions& options) {
  const std::string recorded = recorded_source(source);
  if (!options.name.empty() && options.force) {
    QUERN_CHECK(store.check_name(options.name, true));
  } else if (!options.force) {
    for (StoredModel& model : store.list()) {
      const bool same = model.source == recorded && (options.name.empty() || options.name == model.name);
      if (!same || source.kind == SourceKind::local) continue;
      store.remove_staged(recorded);  // left by a pull that was killed after its model had its name
      return PullOutcome{std::move(model), true};
    }
    if (!options.name.empty()) QUERN_CHECK(store.check_name(options.name, false));
  }
  QUERN_TRY(Staging staging, store.stage(recorded));
  StoredModel model;
  model.name = options.name;
  model.source = recorded;
  const auto claim = [&](const std::string& suggested) {
    if (model.name.empty()) model.name = suggested;
    return store.check_name(model.name, options.force);
  };
  HttpClient client(http_options(options, source));
  Gathering gathering{
      .source = source, .staging = staging, .client = client, .progress = *options.progress, .claim = claim};
  if (Result<void> gathered = gather(gathering); !gathered.ok()) {
    if (!holds_files(staging.downloads())) staging.discard();  // nothing to go on from
    return with_resume_hint(std::move(gathered).error());
  }
  model.revision = gathering.revision;
  model.files = std::move(gathering.files);
  QUERN_TRY(model, store.add(std::move(staging), std::move(model), options.force));
  return PullOutcome{std::move(model), false};
}

}  // namespace quern::store
