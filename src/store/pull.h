// Models from where they are published into the store.
#pragma once

#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "store/http.h"
#include "store/source.h"
#include "store/store.h"

namespace quern::store {

struct PullOptions {
  std::string name;    // in the store; "" for one made from the source
  bool force = false;  // pull again what is there, and replace what has the name
  HttpOptions http;
  Progress* progress = &null_progress();
};

struct PullOutcome {
  StoredModel model;
  bool was_there = false;  // nothing was done: the store has this source already
};

// Gathers the files of `source`, checks sizes and checksums, and adds them to the store. Interrupted or failed for
// reasons that may pass, it keeps what came, and the same call goes on from there. Errors are those of the source
// (hub.h, pypi.h, download.h, archive.h) and of the store.
Result<PullOutcome> pull(const Store& store, const Source& source, const PullOptions& options);

}  // namespace quern::store
