// pessoa bench consume: reads what is there, from the start, as fast as it comes. Latency is that of one poll that brought
// records: how long a reader that had nothing waited for its next ones.
#include "cli/bench.hpp"

#include <fmt/format.h>

#include <thread>
#include <vector>

namespace pessoa::cli {

namespace {

class consume_worker {
public:
  consume_worker(client::cluster cluster, client::consumer consumer, bench_progress& progress, int64_t wanted)
      : cluster_(std::move(cluster)), consumer_(std::move(consumer)), progress_(progress), wanted_(wanted) {}

  // Takes the partitions whose index leaves `rest` when divided by `clients`. Returns how many records they hold.
  client::result<int64_t> take(const client::topic_info& topic, int64_t rest, int64_t clients) {
    std::vector<client::topic_partition> mine;
    for (auto& p : topic.partitions)
      if (p.index % clients == rest) mine.push_back({topic.name, p.index});
    PESSOA_CHECK(consumer_.assign(mine));
    PESSOA_CHECK(consumer_.seek_to_start());
    int64_t there = 0;
    for (auto& at : mine) {
      auto bounds = consumer_.offsets(at);
      if (!bounds) return bounds.error();
      there += bounds->end - bounds->start;
    }
    return there;
  }

  void run() {
    while (!progress_.stop.load(std::memory_order_relaxed)
           && progress_.records.load(std::memory_order_relaxed) < static_cast<uint64_t>(wanted_)) {
      auto asked = nanoseconds_now();
      auto batch = consumer_.poll(std::chrono::milliseconds{100});
      if (!batch) return progress_.fail(batch.error());
      if (batch->empty()) continue;
      last_ = nanoseconds_now();
      latency_.record(last_ - asked);
      // Only what was asked for counts: the last batch of several clients brings more.
      auto before = progress_.records.fetch_add(batch->size());
      auto wanted = static_cast<uint64_t>(wanted_);
      auto counted = before >= wanted ? 0 : std::min<uint64_t>(batch->size(), wanted - before);
      progress_.records.fetch_sub(batch->size() - counted);
      uint64_t bytes = 0;
      for (size_t i = 0; i < counted; ++i) {
        auto& r = (*batch)[i];
        bytes += (r.key ? r.key->size() : 0) + (r.value ? r.value->size() : 0);
      }
      progress_.bytes.fetch_add(bytes, std::memory_order_relaxed);
    }
  }
  void limit(int64_t wanted) { wanted_ = wanted; }
  void stop() { consumer_.stop(); }
  [[nodiscard]] const histogram& latency() const { return latency_; }
  [[nodiscard]] int64_t last() const { return last_; }

private:
  client::cluster cluster_;
  client::consumer consumer_;
  bench_progress& progress_;
  int64_t wanted_;
  histogram latency_;
  int64_t last_ = 0;
};

int bench_consume(console& term, bench_options& o) {
  auto to = resolve(o.connection, term);
  if (!to) return term.fail(to.error());
  auto settings = settings_for(*to);
  settings.set("auto.offset.reset", "earliest").value();
  settings.set("max.poll.records", "100000").value();
  auto cluster = client::cluster::connect(settings);
  if (!cluster) return fail(term, cluster.error());
  auto topic = cluster->topic(o.topic);
  if (!topic) return fail(term, topic.error());
  auto clients = std::min<int64_t>(o.clients, static_cast<int64_t>(topic->partitions.size()));
  if (clients < o.clients)
    term.warn(
        fmt::format("{} has {} partitions: only so many clients have something to read", o.topic, clients));
  bench_progress progress;
  std::vector<std::unique_ptr<consume_worker>> workers;
  int64_t there = 0;
  for (int64_t c = 0; c < clients; ++c) {
    if (c > 0) cluster = client::cluster::connect(settings);
    if (!cluster) return fail(term, cluster.error());
    auto consumer = client::consumer::create(*cluster, settings);
    if (!consumer) return fail(term, consumer.error());
    workers.push_back(std::make_unique<consume_worker>(*cluster, *consumer, progress, o.records));
    auto held = workers.back()->take(*topic, c, clients);
    if (!held) return fail(term, held.error());
    there += *held;
  }
  if (there < o.records) {
    term.say(fmt::format("{} holds {} records, fewer than {}: reading those", o.topic, there, o.records));
    o.records = there;
    for (auto& worker : workers)
      worker->limit(there);
  }
  interrupts signals;
  bench_reporter reporter{term, o, progress};
  end_watch watch{signals, -1, [&] {
                    progress.stop = true;
                    for (auto& worker : workers)
                      worker->stop();
                  }};
  auto begin = nanoseconds_now();
  std::vector<std::thread> threads;
  for (auto& worker : workers)
    threads.emplace_back([&worker] { worker->run(); });
  for (auto& thread : threads)
    thread.join();
  bench_outcome outcome;
  auto end = begin;
  for (auto& worker : workers) {
    outcome.latency.add(worker->latency());
    end = std::max(end, worker->last());
  }
  outcome.seconds = static_cast<double>(end - begin) / 1e9;
  return reporter.conclude(outcome);
}

} // namespace

void add_bench_consume(command bench, invocation& inv) {
  auto app = bench.add_subcommand("consume",
                                  "Read records from the start; latency is that of a poll that brought some");
  auto o = std::make_shared<bench_options>();
  add_bench_options(app, *o, false);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return bench_consume(term, *o); }; });
}

} // namespace pessoa::cli
