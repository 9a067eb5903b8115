#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/ascii.h"
#include "store/archive.h"
#include "store/gather.h"
#include "store/safe_path.h"
#include "store/sha256.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

// "#sha256=HEX" behind the address.
Result<std::string> checksum_in(const Url& url) {
  constexpr std::string_view kMark = "sha256=";
  if (!url.fragment.starts_with(kMark)) return std::string();
  std::string digits = url.fragment.substr(kMark.size());
  std::ranges::transform(digits, digits.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  if (is_sha256(digits)) return digits;
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("'{}' is no SHA-256: expected 64 hexadecimal digits", digits));
}

}  // namespace

Result<void> gather_web(Gathering& gathering) {
  const Url& url = gathering.source.url;
  const std::string name = url.file_name();
  if (!is_safe_path(name) || name.find('/') != std::string::npos)
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: '{}' is no name for a file", url.display(), name));
  if (!is_archive(name) && !is_model_file(name)) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("{}: expected the address of a .gguf, a .safetensors or an archive (.zip, .tar.gz, ...)",
                    url.display()));
  }
  QUERN_TRY(const std::string sha256, checksum_in(url));
  const std::vector<std::string> parts = split_parts(name);
  QUERN_CHECK(gathering.claim(readable_name(name)));
  std::vector<Job> jobs;
  for (const std::string& part : parts) {
    Request request = request_for(url);
    request.url.path = url.path.substr(0, url.path.rfind('/') + 1) + escape_path(part);
    Job job;
    job.request = std::move(request);
    job.name = part;
    if (part == name) job.expected.sha256 = sha256;
    jobs.push_back(std::move(job));
  }
  QUERN_TRY(const std::vector<Downloaded> done, gathering.fetch(jobs));
  if (is_archive(name)) {
    const fs::path archive = gathering.staging.downloads() / name;
    QUERN_TRY(const auto unpacked,
              unpack(archive, gathering.staging.unpacked(), is_model_file, limits_for(done[0].size)));
    return gathering.place_chosen(gathering.staging.unpacked(), readable_name(name));
  }
  for (size_t i = 0; i < jobs.size(); ++i)
    QUERN_CHECK(gathering.place(gathering.staging.downloads() / jobs[i].name, jobs[i].name, done[i].sha256));
  return {};
}

}  // namespace quern::store
