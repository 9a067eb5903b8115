// Who may ask a server, as flags of a command: keys and bearer tokens.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "server/auth.h"

namespace quern::cli {

struct AccessOptions {
  std::string api_keys;
  std::string jwt_key, jwt_algorithm = "rs256", jwt_issuer, jwt_audience;

  void define(CLI::App& app);
  // Anybody may ask who reaches the server.
  bool open() const { return api_keys.empty() && jwt_key.empty(); }
  // Errors of ApiKeys::open and JwtVerifier::create, and of reading the key.
  Result<server::AuthOptions> load() const;
};

}  // namespace quern::cli
