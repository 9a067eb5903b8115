// Web addresses taken apart, joined and put together again. Only http and https.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace quern::store {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;
  std::string port;            // always given: "443" where the address names none
  std::string path;            // as sent: escaped, begins with '/'
  std::string query;           // without '?'
  std::string fragment;        // without '#'
  std::string user, password;  // unescaped

  // "https://host:port": what credentials belong to.
  std::string origin() const;
  // The whole address without user, password and fragment: for requests.
  std::string text() const;
  // text() without the query, which may hold a signature: for people.
  std::string display() const;
  // The last segment of the path, unescaped; "" when the path ends in '/'.
  std::string file_name() const;
  // localhost, 127.0.0.0/8 or ::1.
  bool is_loopback() const;
};

// invalid_argument when it is not an absolute http or https address.
Result<Url> parse_url(std::string_view text);
// `reference` as found in a document or redirect at `base`. User and password stay within one origin.
Result<Url> join_url(const Url& base, std::string_view reference);
// Each segment escaped, the slashes kept.
std::string escape_path(std::string_view path);

}  // namespace quern::store
