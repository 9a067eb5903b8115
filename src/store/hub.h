// The Hugging Face hub: what a repository holds, and where its files are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/http.h"

namespace quern::store {

struct HubFile {
  std::string path;
  uint64_t size = 0;
  std::string sha256;  // of files in large file storage; "" for small ones
};

struct HubListing {
  std::string commit;  // that the revision resolved to
  std::vector<HubFile> files;
};

struct HubSettings {
  Url endpoint;
  std::string token;  // "" for none
};

// HF_ENDPOINT; HF_TOKEN, or the file that HF_TOKEN_PATH or HF_HOME name (as `hf auth login` writes it).
// unavailable when HF_HUB_OFFLINE is set.
Result<HubSettings> hub_settings();

// The hub's answer about one revision of a model, `siblings` with sizes. corrupt for names that would leave a
// folder.
Result<HubListing> parse_hub_listing(std::string_view text, std::string_view source);

class Hub {
 public:
  // The client must outlive it.
  Hub(HttpClient& client, HubSettings settings) : client_(client), settings_(std::move(settings)) {}

  // `revision`: branch, tag or commit; "" for the main branch. Errors say whether the repository is gated,
  // private or misspelt, as far as the hub tells.
  Result<HubListing> list(const std::string& repo, const std::string& revision);
  Request file_request(const std::string& repo, const std::string& commit, const std::string& path) const;
  // The same error, with what it means for this repository.
  Error explain(Error error, const std::string& repo, const std::string& revision) const;

 private:
  Request request(const std::string& path) const;

  HttpClient& client_;
  HubSettings settings_;
};

}  // namespace quern::store
