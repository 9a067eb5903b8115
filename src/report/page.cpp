#include "report/page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/threads.h"
#include "base/version.h"

namespace quern::assets {
extern const std::string_view report_html;
extern const std::string_view report_css;
extern const std::string_view report_common_js;
extern const std::string_view chart_js;
}  // namespace quern::assets

namespace quern::report {

using Json = nlohmann::ordered_json;

namespace {

// JSON that cannot end the script element it stands in, whatever a model wrote.
std::string script_safe(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

std::string fill(std::string page, std::string_view mark, std::string_view content) {
  const std::string wanted = fmt::format("{{{{{}}}}}", mark);
  const size_t at = page.find(wanted);
  return at == std::string::npos ? page : page.replace(at, wanted.size(), content);
}

}  // namespace

Result<void> write_page(const std::filesystem::path& path, std::string_view script, Json data) {
  data["version"] = version();
  data["commit"] = commit();
  data["written"] = iso_time();
  data["machine"] = fmt::format("{}, {} threads", machine_info().cpu, num_threads());
  // The data goes in last: nothing that it holds is taken for a mark.
  std::string page(assets::report_html);
  page = fill(std::move(page), "style", assets::report_css);
  page = fill(std::move(page), "charts", assets::chart_js);
  page = fill(std::move(page), "common", assets::report_common_js);
  page = fill(std::move(page), "script", script);
  page = fill(std::move(page), "data", script_safe(data));
  return write_file_atomic(path, page);
}

}  // namespace quern::report
