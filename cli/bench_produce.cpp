// pessoa bench produce: writes random records as fast as they are taken, or at a fixed rate.
#include "cli/bench.hpp"

#include "cli/values.hpp"
#include "schema/topic_config.hpp"

#include <thread>
#include <vector>

namespace pessoa::cli {

namespace {

// One client: a connection, a producer, and the thread that feeds it. Its histogram is written on the connection's thread.
class produce_worker {
public:
  produce_worker(const bench_options& o, client::cluster cluster, client::producer producer,
                 const payload& values, bench_progress& progress, int64_t first, int64_t count)
      : o_(o), cluster_(std::move(cluster)), producer_(std::move(producer)), values_(values),
        progress_(progress), first_(first), count_(count) {}

  void run(int64_t begin_ns, const interrupts& signals) {
    pace due{begin_ns, o_.rate ? std::optional{*o_.rate / static_cast<double>(o_.clients)} : std::nullopt};
    client::record_ref record;
    auto end_ns = o_.duration ? begin_ns + std::chrono::nanoseconds{*o_.duration}.count() : INT64_MAX;
    for (int64_t i = 0; i < count_ && !progress_.stop.load(std::memory_order_relaxed); ++i) {
      auto at = due.await(i, signals);
      if (!at || *at >= end_ns) break;
      record.value = values_.at(static_cast<uint64_t>(first_ + i));
      if (o_.partitions_touched > 0)
        record.partition = static_cast<int32_t>((first_ + i) % o_.partitions_touched);
      // Two words: small enough that std::function holds them without an allocation.
      auto sent = producer_.send(
          o_.topic, record,
          [this, sent_at = *at](const client::result<client::delivery>& done) { answered(done, sent_at); });
      if (!sent) {
        progress_.fail(sent.error());
        break;
      }
    }
    if (auto flushed = producer_.flush(std::chrono::minutes{3}); !flushed) progress_.fail(flushed.error());
  }

  [[nodiscard]] const histogram& latency() const { return latency_; }
  [[nodiscard]] int64_t last_answer() const { return last_answer_; }

private:
  void answered(const client::result<client::delivery>& done, int64_t sent_at) {
    if (!done) return progress_.fail(done.error());
    last_answer_ = nanoseconds_now();
    latency_.record(last_answer_ - sent_at);
    progress_.records.fetch_add(1, std::memory_order_relaxed);
    progress_.bytes.fetch_add(o_.record_size, std::memory_order_relaxed);
  }

  const bench_options& o_;
  client::cluster cluster_;
  client::producer producer_;
  const payload& values_;
  bench_progress& progress_;
  int64_t first_;
  int64_t count_;
  histogram latency_;
  int64_t last_answer_ = 0;
};

int bench_produce(console& term, const bench_options& o) {
  auto to = resolve(o.connection, term);
  if (!to) return term.fail(to.error());
  auto settings = bench_settings(*to, o);
  payload values{o.record_size};
  bench_progress progress;
  std::vector<std::unique_ptr<produce_worker>> workers;
  int64_t first = 0;
  for (int64_t c = 0; c < o.clients; ++c) {
    auto cluster = client::cluster::connect(settings);
    if (!cluster) return fail(term, cluster.error());
    if (c == 0) {
      announce(term, *cluster);
      if (auto topic = bench_topic(term, o, *cluster); !topic) return fail(term, topic.error());
    }
    auto producer = client::producer::create(*cluster, settings);
    if (!producer) return fail(term, producer.error());
    auto count = o.records / o.clients + (c < o.records % o.clients ? 1 : 0);
    workers.push_back(
        std::make_unique<produce_worker>(o, *cluster, *producer, values, progress, first, count));
    first += count;
  }
  interrupts signals;
  bench_reporter reporter{term, o, progress};
  end_watch watch{signals, -1, [&progress] { progress.stop = true; }};
  auto begin = nanoseconds_now();
  std::vector<std::thread> threads;
  for (auto& worker : workers)
    threads.emplace_back([&worker, begin, &signals] { worker->run(begin, signals); });
  for (auto& thread : threads)
    thread.join();
  bench_outcome outcome;
  auto end = begin;
  for (auto& worker : workers) {
    outcome.latency.add(worker->latency());
    end = std::max(end, worker->last_answer());
  }
  outcome.seconds = static_cast<double>(end - begin) / 1e9;
  return reporter.conclude(outcome);
}

} // namespace

void add_bench_produce(command bench, invocation& inv) {
  auto app =
      bench.add_subcommand("produce", "Write random records; the clock stops at the last acknowledgement");
  auto o = std::make_shared<bench_options>();
  add_bench_options(app, *o, true);
  app.add_parsed(
      "--duration", o->duration,
      [](const std::string& t) -> result<std::chrono::milliseconds> {
        PESSOA_TRY(auto d, parse_duration(t));
        if (d <= std::chrono::milliseconds{0})
          return error{ec::invalid_argument, pessoa::quoted(t) + " is no time to send records in"};
        return d;
      },
      "Send for so long, such as 60s, and then wait for the answers; ends sooner after --records, if that is "
      "given");
  app.callback([&inv, app, o] {
    if (o->duration && !app.given("--records")) o->records = bench_records_unbounded;
    inv.run = [&term = inv.term, o] { return bench_produce(term, *o); };
  });
}

} // namespace pessoa::cli
