// pessoa bench end-to-end: from the moment a record was due to be sent to the moment a consumer has it, in one process, so
// that both moments are on one clock.
#include "cli/bench.hpp"

#include <fmt/format.h>

#include <cstring>
#include <thread>

namespace pessoa::cli {

namespace {

// What stands at the front of every value: which run it belongs to, and when it was due.
struct stamp {
  int64_t run;
  int64_t due_ns;
};
constexpr double default_rate = 1000;

class end_to_end_run {
public:
  end_to_end_run(const bench_options& o, client::producer producer, client::consumer consumer,
                 bench_progress& progress)
      : o_(o), producer_(std::move(producer)), consumer_(std::move(consumer)), progress_(progress),
        run_(nanoseconds_now()) {}

  // A record may be received before its acknowledgement is: nobody calls back into this when it is gone.
  ~end_to_end_run() { producer_.close(); }
  end_to_end_run(const end_to_end_run&) = delete;
  end_to_end_run& operator=(const end_to_end_run&) = delete;

  // From here on everything new is seen.
  client::result<void> prepare() {
    PESSOA_CHECK(consumer_.assign(o_.topic));
    // Positions are resolved now, so that nothing sent later is missed.
    for (auto& at : consumer_.assignment()) {
      auto bounds = consumer_.offsets(at);
      if (!bounds) return bounds.error();
      PESSOA_CHECK(consumer_.seek(at, bounds->end));
    }
    return {};
  }

  void send_all(const interrupts& signals) {
    pace due{nanoseconds_now(), o_.rate.value_or(default_rate)};
    payload values{o_.record_size};
    std::string value(o_.record_size, '\0');
    for (int64_t i = 0; i < o_.records && !progress_.stop; ++i) {
      auto at = due.await(i, signals);
      if (!at) break;
      auto filler = values.at(static_cast<uint64_t>(i));
      value.assign(filler);
      stamp mark{run_, *at};
      std::memcpy(value.data(), &mark, sizeof mark);
      client::record_ref record;
      record.value = value;
      if (o_.partitions_touched > 0) record.partition = static_cast<int32_t>(i % o_.partitions_touched);
      auto sent = producer_.send(o_.topic, record, [this](const client::result<client::delivery>& done) {
        if (!done) give_up(done.error());
      });
      if (!sent) return give_up(sent.error());
    }
  }

  void receive_all() {
    while (!progress_.stop && progress_.records < static_cast<uint64_t>(o_.records)) {
      auto batch = consumer_.poll(std::chrono::seconds{1});
      if (!batch) return give_up(batch.error());
      auto now = nanoseconds_now();
      for (auto& r : *batch) {
        stamp mark{};
        if (!r.value || r.value->size() < sizeof mark) continue;
        std::memcpy(&mark, r.value->data(), sizeof mark);
        if (mark.run != run_) continue; // another writer's
        latency_.record(now - mark.due_ns);
        last_ = now;
        progress_.records.fetch_add(1, std::memory_order_relaxed);
        progress_.bytes.fetch_add(r.value->size(), std::memory_order_relaxed);
      }
    }
  }

  void give_up(const client::error& e) {
    progress_.fail(e);
    consumer_.stop();
  }
  void stop() {
    progress_.stop = true;
    consumer_.stop();
  }
  [[nodiscard]] const histogram& latency() const { return latency_; }
  [[nodiscard]] int64_t last() const { return last_; }

private:
  const bench_options& o_;
  client::producer producer_;
  client::consumer consumer_;
  bench_progress& progress_;
  int64_t run_;
  histogram latency_;
  int64_t last_ = 0;
};

int bench_end_to_end(console& term, const bench_options& o) {
  auto to = resolve(o.connection, term);
  if (!to) return term.fail(to.error());
  auto settings = bench_settings(*to, o);
  // A connection each, as two programs would have.
  auto writing = client::cluster::connect(settings);
  if (!writing) return fail(term, writing.error());
  announce(term, *writing);
  if (auto topic = bench_topic(term, o, *writing); !topic) return fail(term, topic.error());
  auto reading = client::cluster::connect(settings);
  if (!reading) return fail(term, reading.error());
  auto producer = client::producer::create(*writing, settings);
  if (!producer) return fail(term, producer.error());
  auto consumer = client::consumer::create(*reading, settings);
  if (!consumer) return fail(term, consumer.error());

  bench_progress progress;
  end_to_end_run run{o, *producer, *consumer, progress};
  if (auto ready = run.prepare(); !ready) return fail(term, ready.error());
  interrupts signals;
  bench_reporter reporter{term, o, progress};
  end_watch watch{signals, -1, [&run] { run.stop(); }};
  auto begin = nanoseconds_now();
  std::thread sender{[&] { run.send_all(signals); }};
  run.receive_all();
  sender.join();
  bench_outcome outcome;
  outcome.latency = run.latency();
  outcome.seconds = static_cast<double>(std::max(begin, run.last()) - begin) / 1e9;
  return reporter.conclude(outcome);
}

} // namespace

void add_bench_end_to_end(command bench, invocation& inv) {
  auto app = bench.add_subcommand(
      "end-to-end", "From when a record is due to when a consumer has it (1000/s unless --rate)");
  auto o = std::make_shared<bench_options>();
  o->records = 10'000;
  add_bench_options(app, *o, true);
  app.callback([&inv, o] {
    inv.run = [&term = inv.term, o] {
      if (o->record_size < sizeof(stamp))
        return term.usage(
            fmt::format("--record-size is at least {}: a record carries its time", sizeof(stamp)),
            "pessoa bench end-to-end");
      return bench_end_to_end(term, *o);
    };
  });
}

} // namespace pessoa::cli
