#include "store/pip_settings.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/file.h"
#include "store/environment.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMaxConfig = uint64_t{1} << 20;

// In the order in which pip reads them.
std::vector<fs::path> config_files() {
  const std::string chosen = environment("PIP_CONFIG_FILE");
  if (chosen == "/dev/null") return {};  // pip's way to say: none
  const fs::path home = environment("HOME");
  const std::string config_home = environment("XDG_CONFIG_HOME");
  std::vector<fs::path> files = {
      "/etc/xdg/pip/pip.conf", "/etc/pip.conf", home / ".pip/pip.conf",
      (config_home.empty() ? home / ".config" : fs::path(config_home)) / "pip/pip.conf"};
  if (const std::string venv = environment("VIRTUAL_ENV"); !venv.empty())
    files.push_back(fs::path(venv) / "pip.conf");
  if (!chosen.empty()) files.emplace_back(chosen);
  return files;
}

}  // namespace

std::map<std::string, std::string> parse_pip_config(std::string_view text) {
  std::map<std::string, std::string> global, download;
  std::map<std::string, std::string>* section = nullptr;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view raw = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view line = trimmed(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      section = line == "[global]" ? &global : line == "[download]" ? &download : nullptr;
      continue;
    }
    const bool continues = static_cast<unsigned char>(raw.front()) <= ' ';  // further lines of a list
    const size_t mark = line.find_first_of("=:");
    if (section == nullptr || continues || mark == std::string_view::npos) continue;
    std::string name(trimmed(line.substr(0, mark)));
    for (char& c : name) c = c == '_' ? '-' : to_lower(c);
    (*section)[name] = std::string(trimmed(line.substr(mark + 1)));
  }
  download.merge(global);
  return download;
}

PipSettings pip_settings() {
  std::map<std::string, std::string> found;
  for (const fs::path& path : config_files()) {
    const Result<std::string> text = read_file(path, kMaxConfig);
    if (!text.ok()) continue;  // none of them has to exist
    std::map<std::string, std::string> newer = parse_pip_config(*text);
    newer.merge(found);
    found = std::move(newer);
  }
  PipSettings settings{environment("PIP_INDEX_URL"), environment("PIP_CERT")};
  if (settings.index_url.empty()) settings.index_url = found["index-url"];
  if (settings.cert.empty()) settings.cert = found["cert"];
  return settings;
}

}  // namespace quern::store
