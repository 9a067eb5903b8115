// Any bytes as HTTP requests, a keys file, a bearer token and a path: errors, never crashes; and the cuts at which bytes
// arrive change nothing.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "server/api_keys.h"
#include "server/http_parser.h"
#include "server/jwt.h"

namespace {

using namespace quern::server;

struct Outcome {
  HttpParser::State state;
  int status;
  std::string path, body;
  bool operator==(const Outcome&) const = default;
};

// Parses one request, `step` more bytes at a time.
Outcome parse(std::string_view text, size_t step) {
  HttpParser parser({.body_bytes = 1000, .header_bytes = 500, .headers = 10});
  size_t used = 0;
  for (size_t end = 0; end < text.size();) {
    end = std::min(end + step, text.size());
    while (used < end) {
      const HttpParser::State before = parser.state();
      const size_t taken = parser.feed(text.substr(used, end - used));
      used += taken;
      if (taken == 0 && parser.state() == before) break;
    }
  }
  Outcome outcome{parser.state(), parser.failure().status, parser.request().path, ""};
  if (parser.state() == HttpParser::State::complete) outcome.body = parser.take().body;
  if (outcome.body.size() > 1000) __builtin_trap();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const JwtVerifier verifier =
      JwtVerifier::create({.algorithm = JwtOptions::Algorithm::hs256, .key = std::string(32, 'k')}).value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Outcome whole = parse(text, size + 1), bytes = parse(text, 1);
  if ((whole.state == HttpParser::State::complete || bytes.state == HttpParser::State::complete) &&
      whole != bytes) {
    __builtin_trap();
  }
  (void)parse_api_keys(text, "fuzz");
  (void)verifier.verify(text);
  (void)parse_query(text);
  return 0;
}
