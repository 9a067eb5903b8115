// quern serve
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/duration.h"
#include "base/interrupt.h"
#include "base/terminal.h"
#include "base/threads.h"
#include "base/units.h"
#include "cli/access_options.h"
#include "cli/model_options.h"
#include "cli/speculation_flags.h"
#include "model/load.h"
#include "server/adapters.h"
#include "server/api.h"
#include "server/front.h"
#include "server/http_server.h"
#include "server/page.h"
#include "store/store.h"

namespace quern::cli {

namespace {

constexpr std::string_view kNotice =
    "\nfinishing the answers under way; press Ctrl-C again to stop at once\n";

struct Arguments {
  std::vector<std::string> models;
  std::vector<std::string> adapters;  // NAME=FOLDER
  std::string adapter_folder;
  std::string dtype = "f32";
  std::string cache_dtype;
  bool no_pack = false;
  engine::EngineOptions engine;
  SpeculationFlags speculation;
  int64_t queue = 1024;
  server::HttpServerOptions http;
  AccessOptions access;
  server::AuditLogOptions audit;
  uint64_t response_cache = 0;  // MiB
  std::vector<std::string> origins;
  std::string data_folder;
  server::BatchRunner::Options batches;
  double drain_seconds = 30.0;
  bool open = false;
  std::string models_memory, keep_alive;
  server::ModelLimits limits;

  // Models come and go, instead of being there from the start on.
  bool on_demand() const { return limits.bytes > 0 || limits.count > 0 || !keep_alive.empty(); }
};

// The name that clients call a model by: that of its folder or file, or as it is in the store.
std::string name_of(const std::string& model, const std::filesystem::path& path) {
  if (!std::filesystem::exists(model)) return model;
  const std::filesystem::path whole = std::filesystem::weakly_canonical(path);
  return whole.extension() == ".gguf" ? whole.stem().string() : whole.filename().string();
}

Result<server::ServedModel> open_encoder(std::string name, const std::filesystem::path& path,
                                         const Arguments& arguments) {
  QUERN_TRY(const auto form, infer::read_sentence_form(path));
  QUERN_TRY(infer::LoadedEncoder opened, infer::open_encoder(path, *dtype_from_name(arguments.dtype)));
  return server::serve_encoder(std::move(name),
                               std::make_shared<const infer::LoadedEncoder>(std::move(opened)),
                               form.value_or(infer::SentenceForm()), arguments.queue);
}

Result<server::ServedModel> open(const std::string& model, const Arguments& arguments,
                                 const engine::SpeculationOptions& speculation) {
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(model));
  QUERN_TRY(const model::ModelConfig config, model::load_config(path));
  if (config.kind == model::Kind::encoder) return open_encoder(name_of(model, path), path, arguments);
  QUERN_TRY(infer::LoadedModel opened,
            infer::open_model(path, *dtype_from_name(arguments.dtype), !arguments.no_pack));
  if (!arguments.cache_dtype.empty()) QUERN_CHECK(set_cache_dtype(opened.model, arguments.cache_dtype));
  engine::EngineOptions options = arguments.engine;
  options.speculation = speculation;
  return server::serve_model(name_of(model, path),
                             std::make_shared<const infer::LoadedModel>(std::move(opened)), options,
                             arguments.queue);
}

// What there is to say of a model that was opened.
std::string description(const server::ServedModel& model) {
  if (model.encoder) return fmt::format("{}, texts of {} tokens", model.kind(), model.context());
  return fmt::format("context {}, cache {}", model.context(),
                     human_bytes(static_cast<uint64_t>(model.engine->engine().cache_bytes())));
}

Result<void> check_address(const Arguments& arguments) {
  if (arguments.open || !arguments.access.open() || server::is_loopback_host(arguments.http.host)) return {};
  return make_error(
      ErrorCode::permission,
      fmt::format("{} can be reached from other machines, and anybody there could ask", arguments.http.host),
      "give --api-keys or --jwt-key, or say --open if that is what you want");
}

Result<std::unique_ptr<server::Front>> open_front(const Arguments& arguments) {
  server::FrontOptions options{.auth = {},
                               .audit = arguments.audit,
                               .cache_bytes = arguments.response_cache << 20,
                               .pages = {.origins = arguments.origins, .hosts = {}}};
  if (!arguments.access.open()) {
    QUERN_TRY(server::AuthOptions access, arguments.access.load());
    access.open_paths.merge(server::page_paths());
    options.auth.emplace(std::move(access));
  }
  // Nobody else's name leads to an address of this machine alone, but by a trick of DNS.
  if (server::is_loopback_host(arguments.http.host)) options.pages.hosts = {arguments.http.host};
  return server::Front::open(std::move(options));
}

// Bytes of the files that hold a model's weights.
int64_t weight_bytes(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return static_cast<int64_t>(std::filesystem::file_size(path));
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const auto ending = entry.path().extension();
    if (ending == ".safetensors" || ending == ".bin") bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

Result<void> open_models(const Arguments& arguments, const Context& context, server::ServingMetrics& metrics,
                         server::ModelTable& models) {
  QUERN_TRY(const auto speculation,
            arguments.speculation.open(*dtype_from_name(arguments.dtype), !arguments.no_pack));
  models.set_limits(arguments.limits);
  for (const std::string& model : arguments.models) {
    const auto opener = [model, speculation, &arguments, &context,
                         &metrics]() -> Result<server::ServedModel> {
      const Stopwatch time;
      QUERN_TRY(server::ServedModel served, open(model, arguments, speculation));
      if (!context.quiet) {
        terminal::print_line(fmt::format("{}: opened in {}, {}", served.name, human_duration(time.seconds()),
                                         description(served)));
      }
      metrics.measure(served);
      return served;
    };
    if (!arguments.on_demand()) {
      QUERN_TRY(server::ServedModel served, opener());
      models.add(std::move(served));
      continue;
    }
    QUERN_TRY(const std::filesystem::path path, store::Store().resolve(model));
    QUERN_TRY(const model::ModelConfig config, model::load_config(path));
    models.add({.name = name_of(model, path), .bytes = weight_bytes(path), .open = opener});
    if (!context.quiet) {
      terminal::print_line(fmt::format("{}: a {} of {}, opened when somebody asks for it",
                                       name_of(model, path), config.family,
                                       human_bytes(static_cast<uint64_t>(weight_bytes(path)))));
    }
  }
  return {};
}

// The flags that are written with units.
Result<void> read_limits(Arguments& arguments) {
  if (arguments.on_demand() && !arguments.adapters.empty()) {
    return make_error(
        ErrorCode::invalid_argument, "--adapter is for models that stay loaded",
        "leave out --models-memory, --models-max and --keep-alive, or load it with /v1/adapters");
  }
  arguments.limits.waiting = arguments.queue;
  if (!arguments.models_memory.empty()) {
    QUERN_TRY(const uint64_t bytes, parse_bytes(arguments.models_memory));
    arguments.limits.bytes = static_cast<int64_t>(bytes);
  }
  if (!arguments.keep_alive.empty()) {
    QUERN_TRY(arguments.limits.keep_alive, parse_duration(arguments.keep_alive));
  }
  return {};
}

// Files and batches, in a folder of their own. The usual one may belong to another server, or be read-only.
Result<void> add_batches(server::Router& router, const server::ModelTable& models, const Arguments& arguments,
                         const Context& context) {
  const bool usual = arguments.data_folder.empty();
  const std::filesystem::path folder =
      usual ? store::Store::default_root() / "server" : std::filesystem::path(arguments.data_folder);
  Result<void> added = server::add_batches(router, models, folder, arguments.batches);
  if (added.ok() || !usual) return added;
  if (!context.quiet)
    terminal::print_line(
        fmt::format("no files and batches here: {}; --data-dir gives others", added.error().message));
  return {};
}

// NAME=FOLDER, or MODEL:NAME=FOLDER where several models are served.
struct AdapterFlag {
  std::string model, name, folder;
};
Result<AdapterFlag> read_adapter(const std::string& text) {
  const size_t equals = text.find('='), colon = text.substr(0, equals).rfind(':');
  if (equals == text.npos || equals + 1 == text.size()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("--adapter: expected NAME=FOLDER, got '{}'", text),
                      "with several models MODEL:NAME=FOLDER");
  }
  const size_t begin = colon == text.npos ? 0 : colon + 1;
  return AdapterFlag{colon == text.npos ? "" : text.substr(0, colon), text.substr(begin, equals - begin),
                     text.substr(equals + 1)};
}

Result<void> open_adapter(const std::string& text, const server::ModelTable& models) {
  QUERN_TRY(const AdapterFlag flag, read_adapter(text));
  QUERN_TRY(const server::ModelLease served, models.find(flag.model, nullptr));
  QUERN_CHECK(served->expect_decoder());
  QUERN_CHECK(models.check_adapter_name_is_free(flag.name, *served));
  return served->adapters->load(flag.name, flag.folder);
}

Result<void> serve(Arguments& arguments, const Context& context) {
  QUERN_CHECK(read_limits(arguments));
  QUERN_CHECK(check_address(arguments));
  QUERN_TRY(const std::unique_ptr<server::Front> front, open_front(arguments));
  server::ModelTable models;
  models.set_meter(front->meter());
  QUERN_CHECK(open_models(arguments, context, front->metrics(), models));
  for (const std::string& adapter : arguments.adapters) QUERN_CHECK(open_adapter(adapter, models));
  release_threads();  // engines have threads of their own
  server::Router router = server::api_routes(models);
  server::add_adapters(router, models,
                       {.folder = arguments.adapter_folder, .changed = [&] { front->forget_answers(); }});
  QUERN_CHECK(add_batches(router, models, arguments, context));
  server::add_metrics_route(router, front->metrics());
  server::add_page(router);
  QUERN_TRY(const auto http, server::HttpServer::listen(arguments.http, front->before(router)));
  front->metrics().measure(*http);
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
  app.add_option("MODEL", arguments->models,
                 "model folders, GGUF files, or names in the store; encoders make embeddings")
      ->required();
  app.add_option("--adapter", arguments->adapters,
                 "NAME=FOLDER of an adapter, as PEFT writes it, that requests may name; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--adapter-dir", arguments->adapter_folder,
                 "folder whose adapters /v1/adapters may load while the server runs");
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
  arguments->speculation.define(app);
  app.add_option("--models-memory", arguments->models_memory,
                 "open models when they are asked for, in so much memory for all, such as 8G: "
                 "the one that was used the longest ago goes");
  app.add_option("--models-max", arguments->limits.count,
                 "open models when they are asked for, so many at a time; 0: any")
      ->capture_default_str();
  app.add_option(
      "--keep-alive", arguments->keep_alive,
      "open models when they are asked for, and let go of one that nobody asks for so long, such as 5m; "
      "-1: never");
  app.add_option("--queue", arguments->queue, "requests that may wait; more are asked to come later")
      ->capture_default_str();
  app.add_option("--tls-certificate", arguments->http.certificate_file, "PEM file; with --tls-key: HTTPS");
  app.add_option("--tls-key", arguments->http.key_file, "PEM file of its private key");
  arguments->access.define(app);
  CLI::Option* const audit = app.add_option("--audit-log", arguments->audit.file,
                                            "file to note every request in, a line of JSON each");
  app.add_flag("--audit-redact", arguments->audit.redact,
               "note lengths in place of what is asked and answered")
      ->needs(audit);
  app.add_option(
      "--response-cache", arguments->response_cache,
      "MiB of answers to remember for those who ask the same again, at temperature 0 or with a seed");
  app.add_option("--data-dir", arguments->data_folder,
                 "folder of uploaded files and batches (default: in the store)");
  app.add_option("--batch-lines", arguments->batches.lines, "requests of batches that are answered at a time")
      ->capture_default_str();
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
