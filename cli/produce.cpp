// pessoa produce TOPIC: records from stdin or files. Exit status 0 means that every record was acknowledged.
#include "cli/delivery_log.hpp"
#include "cli/input_source.hpp"
#include "cli/interrupt.hpp"
#include "cli/json.hpp"
#include "cli/topic.hpp"
#include "cli/values.hpp"

#include <fmt/format.h>

#include <csignal>

namespace pessoa::cli {

namespace {

using steady = std::chrono::steady_clock;

struct produce_options {
  connection_options connection;
  std::string topic;
  std::optional<input_format> format;
  std::optional<std::string> key;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> null_text;
  std::optional<int64_t> partition;
  std::string acks = "all";
  std::string codec = "none";
  bool create = false;
  std::optional<double> rate;
  std::optional<record_printer> report;
  std::optional<std::chrono::milliseconds> delivery_timeout;
  std::vector<std::string> files;
  bool as_json = false;
};

// One run: reads, sends, and knows how far it came.
class produce_run {
public:
  produce_run(console& term, const produce_options& o, client::producer producer, size_t partitions)
      : term_(term), o_(o), producer_(std::move(producer)), partitions_(partitions),
        log_(term, o.topic, o.report) {}

  // Sends everything. The error: of the input; failures of records are in log().
  result<void> send_all(const interrupts& signals) {
    for (auto& file : o_.files) {
      if (signals.raised() || log_.stopped()) return {};
      if (file == "-") {
        PESSOA_CHECK(send_from(term_.input(), "standard input", signals));
        continue;
      }
      PESSOA_TRY(auto opened, open_file::open(file));
      PESSOA_CHECK(send_from(opened.descriptor(), file, signals));
    }
    read_to_the_end_ = !signals.raised() && !log_.stopped();
    return {};
  }
  delivery_log& log() { return log_; }
  client::producer& producer() { return producer_; }
  [[nodiscard]] uint64_t records() const { return records_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool read_to_the_end() const { return read_to_the_end_; }

private:
  result<void> send_from(int descriptor, const std::string& name, const interrupts& signals) {
    auto source = make_source(descriptor, name, {signals.descriptor(), log_.stop_descriptor()});
    record_input input{*o_.format, *source, o_.null_text};
    while (!signals.raised() && !log_.stopped()) {
      auto next = input.next();
      if (!next && next.error().code == ec::timed_out) return {};
      if (!next) return error{next.error().code, name + ": " + next.error().message};
      if (!*next) return {};
      if (o_.rate && !await_turn(signals)) return {};
      send(**next);
    }
    return {};
  }

  // Keeps the rate. False when a signal came instead.
  bool await_turn(const interrupts& signals) {
    if (records_ == 0) first_ = steady::now();
    auto due = first_
               + std::chrono::duration_cast<steady::duration>(
                   std::chrono::duration<double>(static_cast<double>(records_) / *o_.rate));
    return signals.wait_for(due - steady::now());
  }

  void send(const input_record& from) {
    client::record_ref out;
    auto text = [](const std::optional<byte_view>& v) {
      return v ? std::optional{as_text(*v)} : std::nullopt;
    };
    out.key = text(from.record.key);
    if (!out.key && o_.key) out.key = *o_.key;
    out.value = text(from.record.value);
    headers_.clear();
    for (auto& h : from.record.headers)
      headers_.push_back({h.key, text(h.value)});
    for (auto& h : o_.headers)
      headers_.push_back({h.first, h.second});
    out.headers = headers_;
    if (from.record.time != no_timestamp) out.timestamp_ms = from.record.time.value();
    if (o_.partition)
      out.partition = static_cast<int32_t>(*o_.partition);
    else if (from.partition)
      out.partition = place(*from.partition);
    ++records_;
    bytes_ += (out.key ? out.key->size() : 0) + (out.value ? out.value->size() : 0);
    if (auto sent = producer_.send(o_.topic, out, log_.expect(out)); !sent) {
      auto e = sent.error();
      e.message = fmt::format("record {}: {}", records_, e.message);
      log_.refused(e);
    }
  }

  // A copied record stays in its partition where the topic has that one; a partition that %p names must be there.
  std::optional<int32_t> place(int32_t wanted) {
    if (!o_.format->json() || static_cast<size_t>(wanted) < partitions_) return wanted;
    if (!std::exchange(told_of_partitions_, true))
      term_.warn(fmt::format("{} has {} partitions: records of others go where their key leads", o_.topic,
                             partitions_));
    return std::nullopt;
  }

  console& term_;
  const produce_options& o_;
  client::producer producer_;
  size_t partitions_;
  delivery_log log_;
  std::vector<client::header_ref> headers_; // of the record at hand
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
  steady::time_point first_;
  bool told_of_partitions_ = false;
  bool read_to_the_end_ = false;
};

struct summary {
  uint64_t records = 0;
  uint64_t acknowledged = 0;
  uint64_t bytes = 0;
  double seconds = 0;
};

// Tells how it went and returns the exit status.
int conclude(console& term, const produce_options& o, const summary& s, const std::optional<client::error>& e,
             int status) {
  if (o.as_json) {
    json out{
        {"records", s.records}, {"acknowledged", s.acknowledged}, {"bytes", s.bytes}, {"seconds", s.seconds}};
    out["error"] = e ? json(client::to_string(*e)) : json{};
    term.line(print(out));
    term.flush();
  }
  if (e) {
    (void)fail(term, *e);
    if (s.records > 0)
      term.say(fmt::format("  {} of {} records read were acknowledged", format_count(s.acknowledged),
                           format_count(s.records)));
  } else if (term.error_is_terminal()) {
    term.say(fmt::format("{} records, {} in {:.2f} s", format_count(s.acknowledged),
                         format_bytes(static_cast<double>(s.bytes)), s.seconds));
  }
  return status;
}

client::result<client::topic_info> find_topic(console& term, const produce_options& o,
                                              const client::cluster& cluster,
                                              const client::producer& producer) {
  if (!o.create) return producer.topic(o.topic); // which the node may create for a writer
  auto topic = cluster.topic(o.topic);
  if (topic || topic.error().code != ec::unknown_topic) return topic;
  auto created = create_topic(term, cluster, {o.topic, {}, {}, {}});
  // Somebody was faster: that is as good.
  if (!created && created.error().code == ec::topic_exists) return cluster.topic(o.topic);
  return created;
}

client::settings producer_settings(client::settings settings, const produce_options& o) {
  auto patience = std::to_string(o.delivery_timeout.value_or(std::chrono::seconds{120}).count());
  settings.set("delivery.timeout.ms", patience).value();
  settings.set("max.block.ms", patience).value();
  settings.set("acks", o.acks).value();
  settings.set("compression.type", o.codec).value();
  return settings;
}

int produce(console& term, produce_options& o) {
  if (o.files.empty()) o.files.emplace_back("-");
  if (o.key && (o.format->json() || o.format->reads('k')))
    return term.usage("-k gives every record one key, but the format reads keys from the input",
                      "pessoa produce");
  if (o.partition && o.format->reads('p'))
    return term.usage("-p names one partition, but the format reads partitions from the input",
                      "pessoa produce");
  auto begun = steady::now();
  summary s;
  auto ended = [&](const client::error& e, int status) {
    s.seconds = std::chrono::duration<double>(steady::now() - begun).count();
    return conclude(term, o, s, e, status);
  };

  auto to = resolve(o.connection, term);
  if (!to) return ended(to.error(), status_of(to.error().code));
  auto settings = producer_settings(settings_for(*to), o);
  // Who names a time is willing to wait for a cluster that is not there yet.
  if (o.delivery_timeout)
    settings.set("bootstrap.wait.ms", std::to_string(o.delivery_timeout->count())).value();
  auto cluster = client::cluster::connect(settings);
  if (!cluster)
    return ended(cluster.error(), o.delivery_timeout && cluster.error().code == ec::disconnected
                                      ? static_cast<int>(exit_unhealthy)
                                      : status_of(cluster.error().code));
  announce(term, *cluster);
  auto producer = client::producer::create(*cluster, settings);
  if (!producer) return ended(producer.error(), status_of(producer.error().code));
  auto topic = find_topic(term, o, *cluster, *producer);
  if (!topic) return ended(topic.error(), status_of(topic.error().code));
  if (term.input_is_terminal() && o.files.front() == "-" && term.error_is_terminal())
    term.say("reading records from the terminal, one per line; Ctrl-D ends");

  interrupts signals;
  produce_run run{term, o, *producer, topic->partitions.size()};
  auto read = run.send_all(signals);
  // Every record accepted is answered by its delivery timeout; the flush waits a little longer than that.
  auto patience = o.delivery_timeout.value_or(std::chrono::seconds{120}) + std::chrono::seconds{5};
  auto flushed = producer->flush(patience);
  producer->close(std::chrono::milliseconds{0});
  s.seconds = std::chrono::duration<double>(steady::now() - begun).count();
  run.log().finish();
  s.records = run.records();
  s.acknowledged = run.log().acknowledged();
  s.bytes = run.bytes();

  if (auto failed = run.log().first_error()) return conclude(term, o, s, failed, status_of(failed->code));
  if (!flushed) return conclude(term, o, s, flushed.error(), status_of(flushed.error().code));
  // An input that cannot be read, or is not what the format says, is a failure but no usage error.
  if (!read) return conclude(term, o, s, client::error{read.error()}, exit_failed);
  if (signals.signal() == SIGTERM && !run.read_to_the_end())
    return conclude(term, o, s,
                    client::error{ec::shutting_down, "ended by SIGTERM before the input was read"},
                    exit_failed);
  return conclude(term, o, s, {}, exit_ok);
}

template <class... Words>
auto one_of(Words... words) {
  return [=](const std::string& text) -> result<std::string> {
    if (((text == words) || ...)) return text;
    std::string list;
    ((list += (list.empty() ? "" : ", ") + std::string{words}), ...);
    return error{ec::invalid_argument, "'" + text + "' is none of " + list};
  };
}

} // namespace

void add_produce(command parent, invocation& inv) {
  auto app = parent.add_subcommand("produce", "Write records from stdin or files to a topic");
  app.footer("Formats read records back from text: %k key, %v value, %h headers (k=v,k=v), %p partition, %d "
             "timestamp in\n"
             "milliseconds; \\n \\t \\r \\0 \\\\ and %% stand for themselves, everything else is a "
             "separator. A record ends at the\n"
             "last separator. json reads what 'pessoa consume -f json' prints.\n"
             "Example: pessoa produce orders -f '%k\\t%v\\n' < orders.tsv");
  auto o = std::make_shared<produce_options>();
  o->format = input_format::parse("%v\\n").value();
  add_topic_name(app, o->topic);
  app.add_words("FILE", o->files, "Files to read, - for stdin (stdin)");
  app.add_parsed(
      "-f,--format", o->format, [](const std::string& t) { return input_format::parse(t); },
      "How records are written in the input, or json ('%v\\n')");
  app.add_text("-k,--key", o->key, "The key of every record");
  app.add_each_taken(
      "-H,--header",
      [o](const std::string& text) -> result<void> {
        PESSOA_TRY(auto pair, parse_pair(text, "a header"));
        o->headers.push_back(std::move(pair));
        return {};
      },
      "KEY=VALUE for every record; may be repeated");
  app.add_text("-Z,--null", o->null_text, "Keys and values that are exactly this text are null");
  app.add_parsed(
      "-p,--partition", o->partition,
      [](const std::string& t) { return parse_integer(t, 0, INT32_MAX, "a partition"); },
      "Write to this partition only");
  app.add_parsed("--acks", o->acks, one_of("all", "1", "0"),
                 "all: synced on all in-sync replicas; 1: on the leader; 0: not told");
  app.add_parsed("-z,--compression", o->codec, one_of("none", "gzip", "snappy", "lz4", "zstd"),
                 "none, gzip, snappy, lz4 or zstd (none)");
  app.add_flag("--create", o->create, "Create the topic if it is not there");
  app.add_parsed("--rate", o->rate, parse_rate, "At most this many records per second");
  app.add_parsed(
      "--report", o->report, [](const std::string& t) { return record_printer::parse(t); },
      "Print a line per record when its acknowledgement arrives, such as '%t %p %o %k %v'");
  app.add_parsed(
      "--delivery-timeout", o->delivery_timeout,
      [](const std::string& t) -> result<std::chrono::milliseconds> {
        PESSOA_TRY(auto time, parse_duration(t));
        if (time.count() < 1 || time > std::chrono::hours{7 * 24})
          return error{ec::invalid_argument, "a delivery timeout lies between 1ms and 7d"};
        return time;
      },
      "By then every record is acknowledged, or the exit status is 3 (120s)");
  add_output(app, o->as_json);
  add_connection(app, o->connection);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return produce(term, *o); }; });
}

} // namespace pessoa::cli
