// quern serve
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "base/interrupt.h"
#include "base/terminal.h"
#include "base/units.h"
#include "cli/model_options.h"
#include "server/api.h"
#include "server/auth.h"
#include "server/cors.h"
#include "server/http_server.h"
#include "store/store.h"

namespace quern::cli {

namespace {

constexpr std::string_view kNotice =
    "\nfinishing the answers under way; press Ctrl-C again to stop at once\n";

struct Arguments {
  std::vector<std::string> models;
  std::string dtype = "f32";
  std::string cache_dtype;
  bool no_pack = false;
  engine::EngineOptions engine;
  int64_t queue = 1024;
  server::HttpServerOptions http;
  std::string api_keys;
  std::vector<std::string> origins;
  double drain_seconds = 30.0;
  bool open = false;
};

// The name that clients call a model by: that of its folder or file, or as it is in the store.
std::string name_of(const std::string& model, const std::filesystem::path& path) {
  if (!std::filesystem::exists(model)) return model;
  const std::filesystem::path whole = std::filesystem::weakly_canonical(path);
  return whole.extension() == ".gguf" ? whole.stem().string() : whole.filename().string();
}

Result<server::ServedModel> open(const std::string& model, const Arguments& arguments) {
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(model));
  QUERN_TRY(infer::LoadedModel opened,
            infer::open_model(path, *dtype_from_name(arguments.dtype), !arguments.no_pack));
  if (!arguments.cache_dtype.empty()) QUERN_CHECK(set_cache_dtype(opened.model, arguments.cache_dtype));
  return server::serve_model(name_of(model, path),
                             std::make_shared<const infer::LoadedModel>(std::move(opened)), arguments.engine,
                             arguments.queue);
}

Result<void> check_address(const Arguments& arguments) {
  if (arguments.open || !arguments.api_keys.empty() || server::is_loopback_host(arguments.http.host))
    return {};
  return make_error(
      ErrorCode::permission,
      fmt::format("{} can be reached from other machines, and anybody there could ask", arguments.http.host),
      "give --api-keys, or say --open if that is what you want");
}

Result<server::AuthOptions> open_keys(const std::string& file) {
  server::AuthOptions options;
  QUERN_TRY(options.keys, server::ApiKeys::open(file));
  return options;
}

Result<void> serve(const Arguments& arguments, const Context& context) {
  QUERN_CHECK(check_address(arguments));
  std::optional<server::Auth> auth;  // outlives the engines, whose last answers are counted
  server::ModelTable models;
  for (const std::string& model : arguments.models) {
    const auto start = std::chrono::steady_clock::now();
    QUERN_TRY(server::ServedModel served, open(model, arguments));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!context.quiet) {
      const engine::Engine& engine = served.engine->engine();
      terminal::print_line(fmt::format("{}: opened in {}, context {}, cache {}", served.name,
                                       human_duration(seconds.count()), engine.context(),
                                       human_bytes(static_cast<uint64_t>(engine.cache_bytes()))));
    }
    models.add(std::move(served));
  }
  if (!arguments.api_keys.empty()) {
    QUERN_TRY(server::AuthOptions keys, open_keys(arguments.api_keys));
    auth.emplace(std::move(keys));
    models.set_meter([&](const server::Caller& caller, int64_t tokens) { auth->spend(caller, tokens); });
  }
  const server::Router router = server::api_routes(models);
  server::HttpServer::Handler handler = [&](server::HttpRequest request,
                                            const std::shared_ptr<server::HttpReply>& reply) {
    router.handle(std::move(request), reply);
  };
  if (auth) handler = auth->guard(std::move(handler));
  // Nobody else's name leads to an address of this machine alone, but by a trick of DNS.
  server::CorsOptions pages{.origins = arguments.origins, .hosts = {}};
  if (server::is_loopback_host(arguments.http.host)) pages.hosts = {arguments.http.host};
  handler = server::with_cors(std::move(pages), std::move(handler));
  QUERN_TRY(const auto http, server::HttpServer::listen(arguments.http, std::move(handler)));
  if (!context.quiet) terminal::print_line(fmt::format("listening on {}; Ctrl-C ends it", http->url()));
  const InterruptGuard guard(kNotice);
  std::thread serving([&] { http->run(); });
  while (!InterruptGuard::requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  http->drain(std::chrono::milliseconds(static_cast<int64_t>(1e3 * arguments.drain_seconds)));
  serving.join();
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("MODEL", arguments->models, "model folders, GGUF files, or names in the store")->required();
  app.add_option("--host", arguments->http.host, "address to listen on")->capture_default_str();
  app.add_option("--port", arguments->http.port, "0: any that is free")->capture_default_str();
  app.add_option("--dtype", arguments->dtype, "of activations: f32, bf16 or f16")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  add_cache_dtype(app, arguments->cache_dtype);
  app.add_flag("--no-pack", arguments->no_pack, kNoPackHelp);
  app.add_option("--context", arguments->engine.context, "tokens of one sequence at most; 0: the model's");
  app.add_option("--cache-tokens", arguments->engine.cache_tokens,
                 "tokens of all sequences, and of prompts that are remembered; 0: a few contexts");
  app.add_option("--sequences", arguments->engine.limits.sequences, "requests that are answered at a time")
      ->capture_default_str();
  app.add_option("--pass-tokens", arguments->engine.limits.tokens, "tokens of one forward pass")
      ->capture_default_str();
  app.add_option("--queue", arguments->queue, "requests that may wait; more are asked to come later")
      ->capture_default_str();
  app.add_option("--tls-certificate", arguments->http.certificate_file, "PEM file; with --tls-key: HTTPS");
  app.add_option("--tls-key", arguments->http.key_file, "PEM file of its private key");
  app.add_option("--api-keys", arguments->api_keys,
                 "file of the keys that clients must show (see the handbook)");
  app.add_option("--cors-origin", arguments->origins,
                 "web pages that may ask, such as https://app.example.org; * for any");
  app.add_option("--drain", arguments->drain_seconds, "seconds that answers may take after Ctrl-C")
      ->capture_default_str();
  app.add_flag("--open", arguments->open, "listen on an address that other machines reach, for anybody");
  return [arguments](Context& context) { return serve(*arguments, context); };
}

}  // namespace

Command serve_command() {
  return {.name = "serve",
          .group = Group::use,
          .summary = "answer requests over HTTP, as OpenAI's API does",
          .details =
              "Any client of OpenAI's API can ask: give it the address with /v1. Requests are answered "
              "together,\n"
              "and each gets what it would get alone. Prompts that begin alike are computed once.",
          .examples =
              "quern serve runs/demo/model\n"
              "curl http://127.0.0.1:8080/v1/chat/completions -d "
              "'{\"messages\": [{\"role\": \"user\", \"content\": \"Where does Tia live?\"}]}'",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
