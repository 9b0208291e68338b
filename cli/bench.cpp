#include "cli/bench.hpp"

#include "cli/json.hpp"
#include "cli/topic.hpp"
#include "cli/values.hpp"
#include "schema/limits.hpp"
#include "schema/seams/random.hpp"
#include "schema/topic_config.hpp"

#include <fmt/format.h>

#include <cstring>

namespace pessoa::cli {

namespace {

double milliseconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

json latency_json(const histogram& h) {
  auto at = [&](double share) { return milliseconds(h.quantile(share)); };
  return {{"p50", at(0.5)},
          {"p95", at(0.95)},
          {"p99", at(0.99)},
          {"p999", at(0.999)},
          {"max", milliseconds(h.max())}};
}

} // namespace

void add_bench(command root, invocation& inv) {
  auto app = root.add_subcommand("bench", "Measure a cluster: throughput and latency");
  app.require_subcommand();
  add_bench_produce(app, inv);
  add_bench_consume(app, inv);
  add_bench_end_to_end(app, inv);
}

void add_bench_options(command app, bench_options& o, bool writes) {
  app.add_parsed(
         "--topic", o.topic,
         [](const std::string& t) -> result<std::string> {
           PESSOA_CHECK(check_topic_name(t));
           return t;
         },
         "The topic")
      .required();
  app.add_parsed(
      "--records", o.records,
      [](const std::string& t) -> result<int64_t> {
        PESSOA_TRY(auto n, parse_amount(t, "a number of records"));
        if (n < 1 || n > bench_records_unbounded)
          return error{ec::invalid_argument, pessoa::quoted(t) + " is not a number of records above 0"};
        return static_cast<int64_t>(n);
      },
      "How many, such as 100k or 4M (100000)");
  app.add_parsed(
      "--clients", o.clients,
      [](const std::string& t) { return parse_integer(t, 1, 1024, "a number of clients"); },
      "Clients with a connection and a thread each (1)");
  if (writes) {
    app.add_parsed(
        "--record-size", o.record_size,
        [](const std::string& t) -> result<uint64_t> {
          PESSOA_TRY(auto n, parse_amount(t, "a size in bytes"));
          if (n > message_bytes_max)
            return error{ec::invalid_argument, pessoa::quoted(t) + " is more than a batch can hold"};
          return n;
        },
        "Bytes of a record's value (1024)");
    app.add_parsed(
        "--rate", o.rate, parse_rate,
        "Records per second over all clients; latency is then measured from when a record was due");
    app.add_parsed(
        "--partitions-touched", o.partitions_touched,
        [](const std::string& t) { return parse_integer(t, 1, 10'000, "a number of partitions"); },
        "Spread records over exactly so many partitions, in turn");
    app.add_parsed(
        "--acks", o.acks,
        [](const std::string& t) -> result<std::string> {
          if (t == "all" || t == "1" || t == "0") return t;
          return error{ec::invalid_argument, pessoa::quoted(t) + " is none of all, 1, 0"};
        },
        "all, 1 or 0 (all)");
    app.add_parsed(
        "-z,--compression", o.codec,
        [](const std::string& t) -> result<std::string> {
          for (auto* known : {"none", "gzip", "snappy", "lz4", "zstd"})
            if (t == known) return t;
          return error{ec::invalid_argument, pessoa::quoted(t) + " is none of none, gzip, snappy, lz4, zstd"};
        },
        "none, gzip, snappy, lz4 or zstd (none)");
    app.add_flag("--create", o.create, "Create the topic if it is not there");
  }
  add_output(app, o.as_json);
  add_connection(app, o.connection);
}

void bench_progress::fail(const client::error& e) {
  {
    std::lock_guard lock{guard_};
    if (!error_) error_ = e;
  }
  stop = true;
}

std::optional<client::error> bench_progress::error() const {
  std::lock_guard lock{guard_};
  return error_;
}

payload::payload(uint64_t record_size) : size_(record_size) {
  // Large enough that records of a batch differ everywhere, small enough to stay in the cache.
  bytes_.resize(record_size + (1 << 16));
  seeded_random random{0x5eed};
  for (size_t i = 0; i < bytes_.size(); i += sizeof(uint64_t)) {
    auto word = random.next();
    std::memcpy(bytes_.data() + i, &word, std::min(sizeof word, bytes_.size() - i));
  }
}

std::string_view payload::at(uint64_t index) const {
  // A step that is odd visits every start before it repeats.
  return {bytes_.data() + (index * 7919) % (1 << 16), size_};
}

std::optional<int64_t> pace::await(int64_t index, const interrupts& signals) const {
  if (!rate_) return nanoseconds_now();
  auto due = begin_ + static_cast<int64_t>(static_cast<double>(index) / *rate_ * 1e9);
  auto now = nanoseconds_now();
  if (due > now && !signals.wait_for(std::chrono::nanoseconds{due - now})) return std::nullopt;
  return due;
}

client::settings bench_settings(const target& to, const bench_options& o) {
  auto settings = settings_for(to);
  settings.set("acks", o.acks).value();
  settings.set("compression.type", o.codec).value();
  return settings;
}

client::result<client::topic_info> bench_topic(console& term, const bench_options& o,
                                               const client::cluster& cluster) {
  auto topic = cluster.topic(o.topic);
  auto wanted = static_cast<int32_t>(std::max<int64_t>(1, o.partitions_touched));
  if (!topic && topic.error().code == ec::unknown_topic && o.create)
    topic = create_topic(term, cluster, {o.topic, wanted, {}, {}});
  if (topic && static_cast<size_t>(wanted) > topic->partitions.size())
    return client::error{ec::unknown_partition,
                         fmt::format("{} has {} partitions, fewer than the {} to be touched", o.topic,
                                     topic->partitions.size(), wanted)};
  return topic;
}

bench_reporter::bench_reporter(console& term, const bench_options& o, bench_progress& progress)
    : term_(term), o_(o), progress_(progress) {
  if (term.error_is_terminal()) thread_ = std::thread{[this] { show(); }};
}

bench_reporter::~bench_reporter() {
  {
    std::lock_guard lock{guard_};
    done_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void bench_reporter::show() {
  auto begun = bench_clock::now();
  uint64_t before = 0;
  std::unique_lock lock{guard_};
  while (!ended_.wait_for(lock, std::chrono::seconds{1}, [this] { return done_; })) {
    auto records = progress_.records.load();
    auto seconds = std::chrono::duration<double>(bench_clock::now() - begun).count();
    auto of = o_.records < bench_records_unbounded
                  ? fmt::format(" of {}", format_count(static_cast<uint64_t>(o_.records)))
                  : std::string{};
    term_.progress(fmt::format("{}{} records, {} in the last second, {}/s since the start",
                               format_count(records), of, format_count(records - before),
                               format_bytes(static_cast<double>(progress_.bytes.load()) / seconds)));
    before = records;
  }
}

int bench_reporter::conclude(const bench_outcome& outcome) {
  {
    std::lock_guard lock{guard_};
    done_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
  term_.end_progress();
  auto records = progress_.records.load();
  auto seconds = std::max(outcome.seconds, 1e-9);
  double per_second = static_cast<double>(records) / seconds;
  double megabytes = static_cast<double>(progress_.bytes.load()) / 1e6 / seconds;
  auto& h = outcome.latency;
  if (auto e = progress_.error()) return fail(term_, *e);
  if (o_.as_json) {
    term_.line(print({{"records", records},
                      {"seconds", outcome.seconds},
                      {"recordsPerSecond", per_second},
                      {"megabytesPerSecond", megabytes},
                      {"latencyMs", latency_json(h)}}));
    return exit_ok;
  }
  term_.line(fmt::format("{} records in {:.3f} s: {:.0f} records/s, {:.1f} MB/s", format_count(records),
                         outcome.seconds, per_second, megabytes));
  term_.line(fmt::format("latency ms: p50 {:.3f}, p95 {:.3f}, p99 {:.3f}, p99.9 {:.3f}, max {:.3f}",
                         milliseconds(h.quantile(0.5)), milliseconds(h.quantile(0.95)),
                         milliseconds(h.quantile(0.99)), milliseconds(h.quantile(0.999)),
                         milliseconds(h.max())));
  return exit_ok;
}

} // namespace pessoa::cli
