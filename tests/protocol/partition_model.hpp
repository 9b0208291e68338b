// What a partition's leader must do, written down as simply as possible: everything is a list, every question
// a scan.
//
// Each verb returns what must be answered by it, request by request, as text. Nothing is shared with the
// leader but the words, so that an error would have to be made twice.
#pragma once

#include "protocol/partition/partition_leader.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace pessoa::protocol {

class partition_model {
public:
  using answers = std::map<request_id, std::string>;

  struct batch {
    batch_header header;
    timestamp answered_time;
    timestamp wall;
    acks level;
    [[nodiscard]] int64_t base() const { return header.base_offset.value(); }
    [[nodiscard]] int64_t end() const { return header.next_offset().value(); }
  };
  struct waiter {
    request_id id;
    int64_t base, end;
    instant deadline;
    timestamp time;
    acks level;
    bool duplicate, answered;
    batch_header header;
    [[nodiscard]] size_t bytes() const { return 256 + (duplicate ? 0 : header.size()); }
  };
  struct parked {
    request_id id;
    int64_t from;
    size_t bytes_min;
    instant deadline;
  };
  struct mark {
    int16_t epoch;
    int32_t sequence;
    ec why;
    instant noted;
  };

  // -- state, open to the test ---
  leader_settings settings;
  std::vector<batch> log;                    // all that was ever decided and not undone
  int64_t start = 0, durable = 0, begun = 0; // `begun`: the log end when the epoch began
  int32_t epoch = 0;
  bool ended = false, failed = false;
  std::vector<waiter> waiting;
  std::vector<parked> fetches;
  std::map<int64_t, mark> marks;
  instant heard{};

  [[nodiscard]] int64_t end_offset() const { return log.empty() ? 0 : log.back().end(); }
  [[nodiscard]] size_t waiting_bytes() const {
    size_t sum = 0;
    for (auto& w : waiting)
      sum += w.bytes();
    return sum;
  }
  [[nodiscard]] size_t unanswered() const {
    return static_cast<size_t>(
        std::count_if(waiting.begin(), waiting.end(), [](auto& w) { return !w.answered; }));
  }
  [[nodiscard]] std::optional<instant> next_deadline() const {
    std::optional<instant> out;
    auto see = [&](instant at) { out = out ? std::min(*out, at) : at; };
    for (auto& w : waiting) {
      if (!w.answered) see(w.deadline);
    }
    for (auto& f : fetches)
      see(f.deadline);
    return out;
  }
  // What is remembered of a producer: its batches of the newest epoch, at most five.
  [[nodiscard]] std::vector<batch> remembered(producer_id id) const {
    std::vector<batch> out;
    for (auto& b : log) {
      if (b.header.producer != id) continue;
      if (!out.empty() && out.back().header.pepoch != b.header.pepoch) out.clear();
      out.push_back(b);
      if (out.size() > 5) out.erase(out.begin());
    }
    return out;
  }

  // -- verbs ---
  answers produce(const produce_input& in, instant now, timestamp wall) {
    heard = now;
    auto code = judge(in, now, wall);
    if (code != ec::none) return {{in.id, text(code)}};
    if (auto original = duplicate_of(in.facts.header)) {
      if (original->end() <= durable) return {{in.id, ok(original->base(), original->answered_time, true)}};
      if (in.level == acks::none) return {{in.id, ok(-1, original->answered_time, true)}};
      auto header = in.facts.header;
      waiting.push_back({in.id, original->base(), original->end(), in.deadline, original->answered_time,
                         in.level, true, false, header});
      return {};
    }
    auto header = in.facts.header;
    header.base_offset = offset{end_offset()};
    auto log_append = settings.config.message_timestamp_type == timestamp_type::log_append_time;
    if (log_append) {
      header.attributes |= 0x08;
      header.max_timestamp = wall;
    }
    batch b{header, log_append ? wall : no_timestamp, wall, in.level};
    log.push_back(b);
    auto at = marks.find(header.producer.value());
    if (at != marks.end() && at->second.epoch <= header.pepoch.value()) marks.erase(at);
    waiting.push_back({in.id, b.base(), b.end(), in.deadline, b.answered_time, in.level, false,
                       in.level == acks::none, header});
    if (in.level == acks::none) return {{in.id, ok(-1, b.answered_time, false)}};
    return {};
  }

  answers fetch(const fetch_input& in, instant now) {
    if (ended) return {{in.id, text(ec::not_leader)}};
    if (in.known_epoch && in.known_epoch->value() < epoch) return {{in.id, text(ec::fenced_leader_epoch)}};
    if (in.known_epoch && in.known_epoch->value() > epoch) return {{in.id, text(ec::unknown_leader_epoch)}};
    auto from = in.from.value();
    if (from < start || from > end_offset()) return {{in.id, text(ec::offset_out_of_range)}};
    parked p{in.id, from, std::min(in.bytes_min, in.bytes_max), in.deadline};
    if (due(p) || in.deadline <= now || fetches.size() >= settings.parked_fetches_max)
      return {{in.id, given(p)}};
    fetches.push_back(p);
    return {};
  }
  void forget(request_id id) {
    std::erase_if(fetches, [id](auto& f) { return f.id == id; });
  }

  answers commit(int64_t to) {
    answers out;
    durable = std::max(durable, to);
    if (ended) return out;
    std::erase_if(waiting, [&](auto& w) {
      if (w.end > durable) return false;
      if (!w.answered) out[w.id] = ok(w.base, w.time, w.duplicate);
      return true;
    });
    std::erase_if(fetches, [&](auto& f) {
      if (!due(f)) return false;
      out[f.id] = given(f);
      return true;
    });
    return out;
  }
  answers refuse(int64_t to, ec why) {
    answers out;
    // In order of offset: the first refused of each producer is the one that must come again.
    std::stable_sort(waiting.begin(), waiting.end(), [](auto& a, auto& b) { return a.end < b.end; });
    std::erase_if(waiting, [&](auto& w) {
      if (w.end <= to) return false;
      if (w.level != acks::none) note(w.header, why);
      if (!w.answered) out[w.id] = text(why);
      return true;
    });
    std::erase_if(log, [&](auto& b) { return b.end() > to; });
    if (ended) return out;
    std::erase_if(fetches, [&](auto& f) {
      if (f.from <= end_offset()) return false;
      out[f.id] = text(ec::offset_out_of_range);
      return true;
    });
    return out;
  }
  answers fail() {
    failed = true;
    return answer_all_unknown();
  }
  answers end() {
    if (ended) return {};
    ended = true;
    auto out = answer_all_unknown();
    for (auto& f : fetches)
      out[f.id] = text(ec::not_leader);
    fetches.clear();
    return out;
  }
  answers move_start(int64_t to) {
    answers out;
    start = std::max(start, to);
    std::erase_if(fetches, [&](auto& f) {
      if (f.from >= start) return false;
      out[f.id] = text(ec::offset_out_of_range);
      return true;
    });
    return out;
  }
  answers tick(instant now) {
    heard = now;
    answers out;
    for (auto& w : waiting) {
      if (w.answered || w.deadline > now) continue;
      out[w.id] = text(ec::timed_out);
      w.answered = true;
    }
    std::erase_if(waiting, [](auto& w) { return w.answered && w.duplicate; });
    std::erase_if(fetches, [&](auto& f) {
      if (f.deadline > now) return false;
      out[f.id] = given(f);
      return true;
    });
    return out;
  }
  // The next epoch finds what is durable and knows nothing of what was refused.
  void next_epoch() {
    std::erase_if(log, [&](auto& b) { return b.end() > durable; });
    ++epoch;
    begun = durable;
    ended = failed = false;
    marks.clear();
  }

  // -- words ---
  static std::string text(ec code) { return std::string{describe(code).name}; }
  [[nodiscard]] static std::string ok(int64_t base, timestamp time, bool duplicate) {
    return "at " + std::to_string(base) + " time " + std::to_string(time.value())
           + (duplicate ? " again" : "");
  }
  [[nodiscard]] static std::string read(int64_t from, int64_t limit) {
    return "read " + std::to_string(from) + " to " + std::to_string(limit);
  }

private:
  [[nodiscard]] std::optional<batch> duplicate_of(const batch_header& h) const {
    if (!h.idempotent()) return std::nullopt;
    for (auto& b : remembered(h.producer)) {
      if (b.header.pepoch == h.pepoch && b.header.base_sequence == h.base_sequence
          && b.header.record_count == h.record_count) {
        return b;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] bool room(size_t bytes) const {
    return waiting.empty() || waiting_bytes() + bytes <= settings.waiting_bytes_max;
  }

  ec judge(const produce_input& in, instant now, timestamp wall) {
    auto& h = in.facts.header;
    if (ended) return ec::not_leader;
    if (in.known_epoch && in.known_epoch->value() < epoch) return ec::fenced_leader_epoch;
    if (in.known_epoch && in.known_epoch->value() > epoch) return ec::unknown_leader_epoch;
    if (failed) return ec::storage_failed;
    if (auto original = duplicate_of(h)) {
      bool waits = original->end() > durable && in.level != acks::none;
      return waits && !room(256) ? ec::overloaded : ec::none;
    }
    auto& config = settings.config;
    if (static_cast<int64_t>(h.size()) > config.max_message_bytes) return ec::message_too_large;
    if (config.message_timestamp_type == timestamp_type::create_time
        && (wall - in.facts.min_timestamp > config.message_timestamp_before_max_ms
            || in.facts.max_timestamp - wall > config.message_timestamp_after_max_ms)) {
      return ec::invalid_timestamp;
    }
    if (h.idempotent()) {
      auto at = marks.find(h.producer.value());
      if (at != marks.end() && at->second.epoch == h.pepoch.value() && h.base_sequence > at->second.sequence
          && fresh(at->second, now)) {
        return at->second.why;
      }
      if (auto known = remembered(h.producer); !known.empty()) {
        auto& newest = known.back().header;
        if (h.pepoch < newest.pepoch) return ec::invalid_producer_epoch;
        auto expected = h.pepoch > newest.pepoch ? 0 : newest.base_sequence + newest.record_count;
        if (h.base_sequence != expected) return ec::out_of_order_sequence;
      }
    }
    if (room(256 + h.size())) return ec::none;
    if (in.level != acks::none) note(h, ec::overloaded);
    return ec::overloaded;
  }
  void note(const batch_header& h, ec why) {
    if (!h.idempotent()) return;
    mark noted{h.pepoch.value(), h.base_sequence, why, heard};
    auto at = marks.find(h.producer.value());
    if (at == marks.end()) {
      marks[h.producer.value()] = noted;
      return;
    }
    auto& old = at->second;
    if (noted.epoch < old.epoch) return;
    if (noted.epoch > old.epoch || !fresh(old, heard) || noted.sequence <= old.sequence) old = noted;
  }
  static bool fresh(const mark& m, instant now) { return m.noted + std::chrono::seconds{120} > now; }
  [[nodiscard]] bool due(const parked& f) const {
    if (f.bytes_min == 0 || f.from < begun) return true;
    size_t sum = 0;
    for (auto& b : log) {
      if (b.end() > f.from && b.end() <= durable) sum += b.header.size();
    }
    return sum >= f.bytes_min;
  }
  [[nodiscard]] std::string given(const parked& f) const {
    return f.from < durable ? read(f.from, durable) : "nothing below " + std::to_string(durable);
  }
  answers answer_all_unknown() {
    answers out;
    for (auto& w : waiting) {
      if (!w.answered) out[w.id] = text(ec::unknown_result);
    }
    waiting.clear();
    return out;
  }
};

} // namespace pessoa::protocol
