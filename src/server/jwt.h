// Verifies bearer tokens made elsewhere: JSON Web Tokens (RFC 7519) in compact form (RFC 7515), signed with the one
// algorithm that the configuration names.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern::server {

struct JwtOptions {
  enum class Algorithm { hs256, rs256 };
  Algorithm algorithm = Algorithm::rs256;
  // hs256: the shared secret, at least 32 bytes. rs256: the public key, PEM, at least 2048 bits.
  std::string key = {};
  std::string issuer = {};          // what "iss" must say; empty: anything
  std::string audience = {};        // what "aud" must hold; empty: anything
  std::chrono::seconds leeway{60};  // by which clocks may differ
};

// Movable; verify() is thread-safe.
class JwtVerifier {
 public:
  // invalid_argument for a key that does not fit the algorithm.
  static Result<JwtVerifier> create(JwtOptions options);
  JwtVerifier(JwtVerifier&&) noexcept;
  JwtVerifier& operator=(JwtVerifier&&) noexcept;
  ~JwtVerifier();

  // The claims. permission says what is wrong: form, algorithm, signature, "exp" (required), "nbf", "iss", "aud".
  Result<nlohmann::json> verify(std::string_view token, std::chrono::system_clock::time_point now =
                                                            std::chrono::system_clock::now()) const;

 private:
  struct State;
  explicit JwtVerifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace quern::server
