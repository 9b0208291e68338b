// pessoa consume TOPIC: prints records. Follows, unless -e, -n or an end in -o says where to stop.
#include "cli/interrupt.hpp"
#include "cli/offset_expression.hpp"
#include "cli/record_format.hpp"
#include "cli/topic.hpp"
#include "cli/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

namespace pessoa::cli {

namespace {

struct consume_options {
  connection_options connection;
  std::string topic;
  reading_range range;
  std::vector<int64_t> partitions;
  std::optional<int64_t> count;
  bool stop_at_end = false;
  std::optional<std::string> group;
  std::optional<record_printer> format;
};

timestamp wall_clock() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return timestamp{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
}

// One partition's share of the run.
struct share {
  int64_t begin = 0;
  std::optional<int64_t> end; // none: follow
  [[nodiscard]] bool done_at(int64_t position) const { return end && position >= *end; }
};

class consume_run {
public:
  consume_run(console& term, const consume_options& o, client::consumer consumer)
      : term_(term), o_(o), consumer_(std::move(consumer)) {}

  // Decides where each partition begins and ends.
  client::result<void> prepare(const client::topic_info& topic) {
    std::vector<client::topic_partition> all;
    if (o_.partitions.empty()) {
      for (auto& p : topic.partitions)
        all.push_back({o_.topic, p.index});
    }
    for (auto index : o_.partitions) {
      client::topic_partition at{o_.topic, static_cast<int32_t>(index)};
      if (static_cast<size_t>(index) >= topic.partitions.size())
        return client::error{ec::unknown_partition,
                             fmt::format("{} has no partition {}: its partitions are 0 to {}", o_.topic,
                                         index, static_cast<int64_t>(topic.partitions.size()) - 1)};
      if (std::find(all.begin(), all.end(), at) == all.end()) all.push_back(at);
    }
    PESSOA_CHECK(consumer_.assign(all));
    for (auto& at : all) {
      auto bounds = consumer_.offsets(at);
      if (!bounds) return bounds.error();
      log_bounds log{bounds->start, bounds->end};
      auto begin = offset_of(o_.range.from, at, log);
      if (!begin) return begin.error();
      if (*begin < log.start || *begin > log.end)
        return client::error{ec::offset_out_of_range,
                             fmt::format("offset {} is not in partition {} of {}, which holds {} to {}",
                                         *begin, at.partition, o_.topic, log.start, log.end)};
      share s{*begin, std::nullopt};
      if (o_.range.to) {
        auto end = offset_of(*o_.range.to, at, log);
        if (!end) return end.error();
        s.end = *end;
      }
      if (o_.stop_at_end) s.end = std::min(s.end.value_or(log.end), log.end);
      PESSOA_CHECK(consumer_.seek(at, s.begin));
      if (s.done_at(s.begin))
        PESSOA_CHECK(consumer_.pause({at}));
      else
        open_[at.partition] = s;
    }
    follows_ = std::any_of(open_.begin(), open_.end(), [](auto& s) { return !s.second.end; });
    return {};
  }

  // Prints until it is done, told to stop, or nobody reads any more. The signals' watch calls stop().
  client::result<void> print_all() {
    if (follows_ && term_.error_is_terminal() && !o_.count)
      term_.say("following " + o_.topic + "; Ctrl-C ends, -e would stop at the end");
    while (!open_.empty() && !stopped_ && !enough()) {
      // What is there already is taken without waiting; before a wait everything is written out.
      auto batch = consumer_.poll(std::chrono::milliseconds{0});
      if (batch && batch->empty()) {
        if (!term_.flush()) return {};
        batch = consumer_.poll(std::chrono::seconds{1});
        if (batch && batch->empty()) idle();
      }
      if (!batch) return batch.error();
      for (auto& record : *batch) {
        if (!take(record)) return {};
      }
      close_finished();
    }
    return {};
  }

  // From the watch's thread.
  void stop() {
    stopped_ = true;
    consumer_.stop();
  }
  [[nodiscard]] bool complete() const { return open_.empty() || enough(); }

private:
  client::result<int64_t> offset_of(const place& where, const client::topic_partition& at,
                                    const log_bounds& log) {
    if (auto known = locate(where, log)) return *known;
    auto found = consumer_.offset_at_time(at, where.number);
    if (!found) return found.error();
    return found->value_or(log.end);
  }

  [[nodiscard]] bool enough() const { return o_.count && printed_ >= *o_.count; }

  // False: nobody reads any more, or there is enough.
  bool take(const client::received& r) {
    auto found = open_.find(r.partition);
    // A partition that is done may have had more in the same batch.
    if (found == open_.end() || found->second.done_at(r.offset)) return true;
    if (enough()) return false;
    view_.time = timestamp{r.timestamp_ms};
    view_.key = r.key ? std::optional{as_bytes(*r.key)} : std::nullopt;
    view_.value = r.value ? std::optional{as_bytes(*r.value)} : std::nullopt;
    view_.headers.clear();
    for (auto& h : r.headers)
      view_.headers.push_back({h.key, h.value ? std::optional{as_bytes(*h.value)} : std::nullopt});
    o_.format->append(term_.buffer(), {r.topic, partition_id{r.partition}, offset{r.offset}, &view_});
    ++printed_;
    next_[r.partition] = r.offset + 1;
    return term_.settle();
  }

  void close_finished() {
    for (auto at = open_.begin(); at != open_.end();) {
      auto next = next_.find(at->first);
      if (next != next_.end() && at->second.done_at(next->second))
        at = finish(at);
      else
        ++at;
    }
  }

  std::map<int32_t, share>::iterator finish(std::map<int32_t, share>::iterator at) {
    // Nothing more of it is wanted; a failure here only means that some more is fetched and left out.
    (void)consumer_.pause({client::topic_partition{o_.topic, at->first}});
    return open_.erase(at);
  }

  // Nothing came for a while: the end may lie behind offsets that hold no record, and people want to know of trouble.
  void idle() {
    for (auto at = open_.begin(); at != open_.end();) {
      auto position =
          at->second.end ? consumer_.position({o_.topic, at->first}) : client::result<int64_t>{-1};
      if (position && at->second.done_at(*position))
        at = finish(at);
      else
        ++at;
    }
    auto troubles = consumer_.troubles();
    if (!troubles.empty() && troubles.back() != told_) {
      told_ = troubles.back();
      term_.warn("waiting: " + told_);
    }
  }

  console& term_;
  const consume_options& o_;
  client::consumer consumer_;
  std::map<int32_t, share> open_; // partitions that are not done
  std::map<int32_t, int64_t> next_;
  record_view view_;
  int64_t printed_ = 0;
  bool follows_ = false;
  std::atomic<bool> stopped_{false};
  std::string told_;
};

int consume(console& term, const consume_options& o) {
  if (o.group)
    return term.refuse(exit_failed, "consumer groups (-g) are not there yet in pessoa " PESSOA_VERSION,
                       "-o OFFSET, which reads from a place that you name");
  auto to = resolve(o.connection, term);
  if (!to) return term.fail(to.error());
  auto settings = settings_for(*to);
  settings.set("auto.offset.reset", "none").value(); // records that are gone are told, not skipped
  settings.set("max.poll.records", "10000").value();
  auto cluster = client::cluster::connect(settings);
  if (!cluster) return fail(term, cluster.error());
  auto topic = cluster->topic(o.topic);
  if (!topic) return fail(term, topic.error());
  auto consumer = client::consumer::create(*cluster, settings);
  if (!consumer) return fail(term, consumer.error());

  interrupts signals;
  consume_run run{term, o, *consumer};
  if (auto ready = run.prepare(*topic); !ready) return fail(term, ready.error());
  auto ended = [&] {
    end_watch watch{signals, term.output(), [&run] { run.stop(); }};
    return run.print_all();
  }();
  if (!ended && !signals.raised()) return fail(term, ended.error());
  term.flush();
  return exit_ok;
}

} // namespace

void add_consume(command parent, invocation& inv) {
  auto app = parent.add_subcommand("consume", "Print records of a topic");
  app.footer(
      "Formats: %t topic, %p partition, %o offset, %k key, %v value, %h headers, %d timestamp in "
      "milliseconds;\n"
      "\\n \\t \\r \\0 \\\\ and %% stand for themselves. json prints one object per line.\n"
      "Offsets: start, end, N, +N (from the start), -N (from the end), @TIME (RFC 3339, milliseconds since "
      "1970, or\n"
      "@-1h for an hour ago), A:B (from A up to, not including, B; B is taken as it is at the start).\n"
      "Example: pessoa consume orders -o @-1h -e -f '%o %k %v\\n'");
  auto o = std::make_shared<consume_options>();
  o->format = record_printer::parse("%v\\n").value();
  add_topic_name(app, o->topic);
  app.add_parsed(
      "-o,--offset", o->range, [](const std::string& t) { return parse_offset(t, wall_clock()); },
      "Where to begin, and to end (start)");
  app.add_each_taken(
      "-p,--partition",
      [o](const std::string& text) -> result<void> {
        PESSOA_TRY(auto index, parse_integer(text, 0, INT32_MAX, "a partition"));
        o->partitions.push_back(index);
        return {};
      },
      "Only this partition; may be repeated (all)");
  app.add_parsed(
      "-n,--count", o->count,
      [](const std::string& t) { return parse_integer(t, 1, INT64_MAX, "a number of records"); },
      "End after so many records");
  app.add_flag("-e,--end", o->stop_at_end, "End where the topic ends now");
  app.add_text("-g,--group", o->group, "Read as a member of a group (not there yet)");
  app.add_parsed(
      "-f,--format", o->format, [](const std::string& t) { return record_printer::parse(t); },
      "How to print a record, or json ('%v\\n')");
  add_connection(app, o->connection);
  app.callback([&inv, o] { inv.run = [&term = inv.term, o] { return consume(term, *o); }; });
}

} // namespace pessoa::cli
