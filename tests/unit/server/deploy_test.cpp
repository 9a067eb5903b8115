// The files of deploy/ name only what there is.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "base/file.h"
#include "server/serving_metrics.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"
#include "unit/server/saying.h"
#include "unit/server/tiny_encoder.h"

namespace quern::server {
namespace {

std::string deploy_file(const std::string& name) {
  return read_file(std::filesystem::path(QUERN_SOURCE_DIR) / "deploy" / name).value();
}

std::set<std::string> found(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
    names.insert(at->str(1));
  return names;
}

// Every name of a sample that /metrics can print.
std::set<std::string> metric_names() {
  ServingMetrics metrics;
  ServedModel decoder = saying("decoder", "Hello!", 4), encoder = tiny_encoder("encoder");
  metrics.measure(decoder);
  metrics.measure(encoder);
  const ResponseCache cache(1 << 20);
  metrics.measure(cache);
  const quern::test::TempDir folder;
  const auto audit = AuditLog::open({.file = folder / "audit.jsonl"}).value();
  metrics.measure(*audit);
  HttpServerOptions options;
  options.port = 0;
  const auto server =
      HttpServer::listen(std::move(options), [](const HttpRequest&, const std::shared_ptr<HttpReply>&) {
      }).value();
  metrics.measure(*server);
  metrics.add_request({.route = "/", .status = 200});
  metrics.add_tokens({.name = "alice"}, 1);
  decoder.metrics->observe_whole(1.0, "stop");
  return found(metrics.text(), "\n([a-z_]+)[{ ]");
}

TEST(Deploy, NamesOnlyMetricsThatThereAre) {
  const std::set<std::string> known = metric_names();
  EXPECT_TRUE(known.contains("quern_inter_token_seconds_bucket"));
  for (const char* file : {"grafana.json", "kubernetes.yaml"}) {
    const std::set<std::string> named = found(deploy_file(file), "\\b((?:quern|process)_[a-z_]+)\\b");
    EXPECT_FALSE(named.empty()) << file;
    for (const std::string& name : named) EXPECT_TRUE(known.contains(name)) << file << " names " << name;
  }
}

TEST(Deploy, DocumentsAreWellFormed) {
  const auto dashboard = nlohmann::json::parse(deploy_file("grafana.json"));
  std::set<int> ids;
  for (const auto& panel : dashboard["panels"]) {
    EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second);
    EXPECT_FALSE(panel["targets"].empty()) << panel["title"];
  }
  std::set<std::string> kinds;
  for (const YAML::Node& object : YAML::LoadAll(deploy_file("kubernetes.yaml"))) {
    kinds.insert(object["kind"].as<std::string>());
    EXPECT_TRUE(object["apiVersion"] && object["metadata"]["name"]);
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"Deployment", "HorizontalPodAutoscaler", "PersistentVolumeClaim",
                                          "Secret", "Service"}));
  EXPECT_TRUE(YAML::Load(deploy_file("compose.yaml"))["services"]["quern"]);
  EXPECT_TRUE(YAML::Load(deploy_file("prometheus.yaml"))["scrape_configs"]);
}

}  // namespace
}  // namespace quern::server
