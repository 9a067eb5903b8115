#include "cli/access_options.h"

#include "base/file.h"

namespace quern::cli {

namespace {

constexpr uint64_t kLargestKey = 64 << 10;

// A secret that was written with an editor ends with a line feed that is not part of it.
std::string without_line_end(std::string text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

void AccessOptions::define(CLI::App& app) {
  app.add_option("--api-keys", api_keys, "file of the keys that clients must show (see quern keys)");
  CLI::Option* const key =
      app.add_option("--jwt-key", jwt_key,
                     "file of the key that bearer tokens are signed with: PEM for rs256, a secret for hs256");
  app.add_option("--jwt-algorithm", jwt_algorithm, "rs256 or hs256")
      ->capture_default_str()
      ->check(CLI::IsMember({"rs256", "hs256"}))
      ->needs(key);
  app.add_option("--jwt-issuer", jwt_issuer, "what the tokens' \"iss\" must say")->needs(key);
  app.add_option("--jwt-audience", jwt_audience, "what the tokens' \"aud\" must hold")->needs(key);
}

Result<server::AuthOptions> AccessOptions::load() const {
  server::AuthOptions options;
  if (!api_keys.empty()) {
    QUERN_TRY(options.keys, server::ApiKeys::open(api_keys));
  }
  if (jwt_key.empty()) return options;
  const bool hs256 = jwt_algorithm == "hs256";
  QUERN_TRY(std::string key, read_file(jwt_key, kLargestKey));
  auto tokens = server::JwtVerifier::create(
      {.algorithm = hs256 ? server::JwtOptions::Algorithm::hs256 : server::JwtOptions::Algorithm::rs256,
       .key = hs256 ? without_line_end(std::move(key)) : std::move(key),
       .issuer = jwt_issuer,
       .audience = jwt_audience});
  if (!tokens.ok()) return std::move(tokens).error().within(jwt_key);
  options.tokens.emplace(*std::move(tokens));
  return options;
}

}  // namespace quern::cli
