// What pip's environment variables and configuration files say, so that pulls go where pip would go.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::store {

struct PipSettings {
  std::string index_url;  // "" when nothing names one
  std::string cert;       // certificate authorities; "" for the usual ones
};

// PIP_INDEX_URL and PIP_CERT, else the configuration files from the machine's to PIP_CONFIG_FILE, of which a
// later one wins.
PipSettings pip_settings();

// The [global] settings of one file, then those of [download]; names in lower case with '-'.
std::map<std::string, std::string> parse_pip_config(std::string_view text);

}  // namespace quern::store
