// quern list
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/terminal.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "store/store.h"

namespace quern::cli {

namespace {

// "3d 4h" since an ISO time; the text itself when it is none.
std::string age_of(const std::string& iso) {
  std::tm parts{};
  if (::strptime(iso.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return iso;
  const double seconds = std::difftime(std::time(nullptr), ::timegm(&parts));
  return seconds < 1 ? "now" : human_duration(seconds);
}

nlohmann::ordered_json to_json(const store::StoredModel& model) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const store::StoredFile& file : model.files)
    files.push_back({{"path", file.path}, {"size", file.size}, {"sha256", file.sha256}});
  return {{"name", model.name},     {"path", model.entry().string()},
          {"kind", model.kind()},   {"size", model.size()},
          {"source", model.source}, {"revision", model.revision},
          {"pulled", model.pulled}, {"files", files}};
}

void mention_unfinished(const store::Store& models) {
  for (const store::UnfinishedPull& pull : models.unfinished()) {
    terminal::print_line(
        fmt::format("unfinished: {} of {}; 'quern pull {}' goes on, 'quern remove --unfinished' drops it",
                    human_bytes(pull.bytes), pull.source, pull.source));
  }
}

Result<void> list(Context& context) {
  const store::Store models;
  const std::vector<store::StoredModel> found = models.list();
  if (context.json) {
    nlohmann::ordered_json document = nlohmann::ordered_json::array();
    for (const store::StoredModel& model : found) document.push_back(to_json(model));
    context.print(document.dump(2) + "\n");
    return {};
  }
  TextTable table({"name", ">size", "kind", "source", ">age"});
  for (const store::StoredModel& model : found)
    table.add({model.name, human_bytes(model.size()), model.kind(), model.source, age_of(model.pulled)});
  if (!found.empty()) context.print(table.to_string());
  if (context.quiet) return {};
  if (found.empty())
    terminal::print_line(
        fmt::format("no models yet in {}; 'quern help pull' shows how to get one", models.root().string()));
  mention_unfinished(models);
  return {};
}

}  // namespace

Command list_command() {
  return {.name = "list",
          .group = Group::use,
          .summary = "the models of the local store",
          .details = {},
          .examples = "quern list --json",
          .define = [](CommandLine&) -> Runner { return list; },
          .subcommands = {}};
}

}  // namespace quern::cli
