#include "server/serving_metrics.h"

#include <utility>

#include "base/exception.h"
#include "base/machine.h"
#include "base/version.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

using engine::EncoderStats;
using engine::EngineStats;

template <class Stats>
struct Sample {
  std::string_view name, help;
  int64_t Stats::*value;
};

constexpr std::string_view kRunning = "Answers that are being computed.",
                           kWaiting = "Answers that wait to be computed.", kPrompts = "Tokens of prompts.",
                           kPasses = "Forward passes.", kPassTokens = "Tokens of all forward passes.",
                           kPassSequences =
                               "Sequences of all forward passes: by passes, the size of batches.";

constexpr Sample<EngineStats> kEngineGauges[] = {
    {"quern_requests_running", kRunning, &EngineStats::running},
    {"quern_requests_waiting", kWaiting, &EngineStats::waiting},
    {"quern_kv_blocks", "Blocks of the KV cache.", &EngineStats::blocks},
    {"quern_kv_blocks_available", "Of them, those that no running answer holds.",
     &EngineStats::blocks_available},
    {"quern_kv_blocks_remembered", "Of the available, those that remember the beginnings of texts.",
     &EngineStats::blocks_remembered},
};

constexpr Sample<EngineStats> kEngineCounters[] = {
    {"quern_prompt_tokens_total", kPrompts, &EngineStats::prompt_tokens},
    {"quern_reused_prompt_tokens_total", "Of them, those that the prefix cache remembered.",
     &EngineStats::reused_tokens},
    {"quern_generated_tokens_total", "Tokens of answers.", &EngineStats::generated_tokens},
    {"quern_preemptions_total", "Times that an answer gave up its blocks and waited again.",
     &EngineStats::preempted},
    {"quern_passes_total", kPasses, &EngineStats::passes},
    {"quern_pass_tokens_total", kPassTokens, &EngineStats::pass_tokens},
    {"quern_pass_sequences_total", kPassSequences, &EngineStats::pass_sequences},
    {"quern_guess_passes_total", "Forward passes that verified guesses at next tokens.",
     &EngineStats::guess_passes},
    {"quern_guessed_tokens_total", "Tokens that were guessed ahead.", &EngineStats::guessed_tokens},
    {"quern_accepted_tokens_total", "Of them, those that were right.", &EngineStats::accepted_tokens},
};

constexpr Sample<EncoderStats> kEncoderGauges[] = {
    {"quern_requests_running", kRunning, &EncoderStats::running},
    {"quern_requests_waiting", kWaiting, &EncoderStats::waiting},
};

constexpr Sample<EncoderStats> kEncoderCounters[] = {
    {"quern_prompt_tokens_total", kPrompts, &EncoderStats::tokens},
    {"quern_passes_total", kPasses, &EncoderStats::passes},
    {"quern_pass_tokens_total", kPassTokens, &EncoderStats::tokens},
    {"quern_pass_sequences_total", kPassSequences, &EncoderStats::texts},
};

// Of a thread that may have ended when somebody asks.
template <class Thread, class Stats>
std::function<double()> reader(const std::shared_ptr<Thread>& thread, int64_t Stats::*value) {
  return [weak = std::weak_ptr<Thread>(thread), value] {
    const auto running = weak.lock();
    return running ? static_cast<double>(running->stats().*value) : 0.0;
  };
}

template <class Thread, class Stats>
void sample(Metrics& metrics, const MetricLabels& labels, const std::shared_ptr<Thread>& thread,
            std::span<const Sample<Stats>> gauges, std::span<const Sample<Stats>> counters) {
  for (const auto& [name, help, value] : gauges)
    metrics.sampled_gauge(name, help, reader(thread, value), labels);
  for (const auto& [name, help, value] : counters)
    metrics.sampled_counter(name, help, reader(thread, value), labels);
}

std::string_view finish_of(const engine::Update& update) {
  if (update.error) return "error";
  if (update.finish == infer::FinishReason::cancelled) return "cancelled";
  return finish_name(*update.finish);
}

bool answered(std::string_view finish) { return finish != "error" && finish != "cancelled"; }

double seconds(ModelMetrics::Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

ModelMetrics::ModelMetrics(Metrics& metrics, std::string model)
    : metrics_(metrics),
      model_(std::move(model)),
      first_token_(metrics.histogram("quern_time_to_first_token_seconds",
                                     "From when an answer was asked for to its first token.",
                                     first_token_buckets(), {{"model", model_}})),
      inter_token_(metrics.histogram("quern_inter_token_seconds", "From a token of an answer to the next.",
                                     inter_token_buckets(), {{"model", model_}})),
      request_(metrics.histogram("quern_request_seconds", "From when an answer was asked for to its end.",
                                 request_time_buckets(), {{"model", model_}})),
      queue_(metrics.histogram("quern_queue_seconds", "How long answers waited to be computed.",
                               first_token_buckets(), {{"model", model_}})) {}

void ModelMetrics::observe(const engine::Update& update, Moment& last_tokens, Clock::time_point now) {
  if (!update.tokens.empty()) {
    if (last_tokens) {
      const auto count = static_cast<double>(update.tokens.size());
      const double each = seconds(now - *last_tokens) / count;
      for (size_t i = 0; i < update.tokens.size(); ++i) inter_token_.observe(each);
    } else {
      first_token_.observe(update.usage.first_seconds);
    }
    last_tokens = now;
  }
  if (!update.last()) return;
  const std::string_view finish = finish_of(update);
  observe_whole(update.usage.total_seconds, finish);
  if (answered(finish)) queue_.observe(update.usage.queue_seconds);
}

void ModelMetrics::observe_whole(double seconds, std::string_view finish) {
  metrics_
      .counter("quern_requests_total", "Answers, by how they ended.",
               {{"model", model_}, {"finish", std::string(finish)}})
      .add();
  if (answered(finish)) request_.observe(seconds);
}

ServingMetrics::ServingMetrics() {
  metrics_.gauge("quern_build_info", "The version that runs.", {{"version", std::string(version())}}).set(1);
  metrics_.gauge("process_start_time_seconds", "When the server began, in seconds since 1970.")
      .set(static_cast<double>(unix_seconds()));
  metrics_.sampled_gauge("process_resident_memory_bytes", "Memory of the process, mapped models included.",
                         [] { return static_cast<double>(resident_bytes()); });
}

void ServingMetrics::measure(ServedModel& model) {
  model.metrics = std::make_shared<ModelMetrics>(metrics_, model.name);
  const MetricLabels labels = {{"model", model.name}};
  if (model.encoder) {
    sample<engine::EncoderThread, EncoderStats>(metrics_, labels, model.encoder->thread, kEncoderGauges,
                                                kEncoderCounters);
  } else {
    sample<engine::EngineThread, EngineStats>(metrics_, labels, model.engine, kEngineGauges, kEngineCounters);
  }
}

void ServingMetrics::measure(const HttpServer& server) {
  const HttpServerStats& stats = server.stats();
  const auto reader = [](const std::atomic<int64_t>& value) {
    return [&value] { return static_cast<double>(value); };
  };
  metrics_.sampled_gauge("quern_http_connections", "Open connections.", reader(stats.open));
  metrics_.sampled_counter("quern_http_refused_total",
                           "Requests that were malformed, too large, too slow or too many.",
                           reader(stats.refused));
  metrics_.sampled_counter("quern_http_cut_off_total", "Connections whose client read too slowly.",
                           reader(stats.cut_off));
}

void ServingMetrics::measure(const ResponseCache& cache) {
  using Stats = ResponseCache::Stats;
  const auto reader = [&cache](int64_t Stats::*value) {
    return [&cache, value] { return static_cast<double>(cache.stats().*value); };
  };
  metrics_.sampled_counter("quern_response_cache_hits_total", "Answers that were given again.",
                           reader(&Stats::hits));
  metrics_.sampled_counter("quern_response_cache_misses_total", "Answers that were not known yet.",
                           reader(&Stats::misses));
  metrics_.sampled_gauge("quern_response_cache_bytes", "Memory of the answers that are known.",
                         reader(&Stats::bytes));
}

void ServingMetrics::measure(const AuditLog& audit) {
  metrics_.sampled_counter("quern_audit_dropped_total", "Entries of the audit log that were lost.",
                           [&audit] { return static_cast<double>(audit.dropped()); });
}

void ServingMetrics::add_tokens(const Caller& caller, int64_t tokens) {
  metrics_
      .counter("quern_caller_tokens_total", "Tokens of prompts and answers, by who asked.",
               {{"caller", caller.name}})
      .add(static_cast<double>(tokens));
}

void ServingMetrics::add_request(const RequestRecord& record) {
  metrics_
      .counter("quern_http_requests_total", "Requests, by route and status.",
               {{"route", record.route.empty() ? "none" : record.route},
                {"status", std::to_string(record.status)}})
      .add();
}

void add_metrics_route(Router& router, const ServingMetrics& metrics) {
  router.add("GET", "/metrics",
             [&metrics](const HttpRequest& request, const PathParameters&, const auto& reply) {
               if (request.caller && !request.caller->admin) {
                 throw Exception(make_error(ErrorCode::permission,
                                            "metrics tell of all callers: this key may not see them",
                                            "a key with \"admin: true\" may"));
               }
               reply->send({.content_type = std::string(Metrics::content_type()), .body = metrics.text()});
             });
}

}  // namespace quern::server
