// What a consumer reads next: where each partition stands, what to ask for, what was fetched ahead.
//
// Pure: assignments, answers and the time go in, questions come out. Not thread-safe. Promises: the position
// of a partition moves only forward through what was handed out, or by a seek; an answer to a question from
// before a seek is dropped; what is fetched ahead is bounded by `ahead_bytes_max` (a batch larger than a
// fetch comes whole all the same); partitions take turns; a paused one asks for nothing; one that has nothing
// new is asked again only after a pause, whether the node waited or not.
#pragma once

#include "client/core/client_config.hpp"
#include "client/core/retry.hpp"
#include "pessoa/consumer.hpp"
#include "schema/bytes.hpp"
#include "schema/ids.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pessoa::client {

struct fetch_settings {
  size_t bytes_max = 1u << 20; // of one fetch
  size_t ahead_bytes_max = 32u << 20;
  duration wait = std::chrono::milliseconds{500}; // of a fetch at the node, for new records
  offset_reset reset = offset_reset::end;
  backoff_policy backoff;
};

// Where to read from, as the user or the reset policy says it.
struct at_start {};
struct at_end {};
struct at_time {
  int64_t ms;
};
using place_to_find = std::variant<at_start, at_end, at_time>;

// A fetch's answer.
struct fetched {
  bytes batches;
  int64_t high_watermark = -1;
  int64_t log_start = -1;
  int64_t next_offset = -1;
  int32_t last_epoch = -1; // leader epoch of the last batch in it
};

// A piece of a partition that was fetched: whole batches, of which records below `from` are to be left out.
struct chunk {
  topic_partition at;
  uint64_t generation = 0;
  int64_t from = 0;
  int64_t next = 0; // where the partition goes on behind it
  bytes data;
};

class fetch_plan {
public:
  explicit fetch_plan(fetch_settings settings) : settings_(settings) {}

  // -- what and where ---
  // Replaces the assignment; kept partitions of the same topic id go on.
  void assign(const std::vector<std::pair<topic_partition, topic_id>>& partitions);
  [[nodiscard]] std::vector<topic_partition> assignment() const;
  [[nodiscard]] bool assigned(const topic_partition& at) const { return parts_.count(at) != 0; }
  void pause(const topic_partition& at, bool paused);
  void seek(const topic_partition& at, int64_t offset);
  void seek(const topic_partition& at, place_to_find place);
  // Where poll() goes on; nullopt while it still has to be found.
  [[nodiscard]] std::optional<int64_t> position(const topic_partition& at) const;
  [[nodiscard]] place_to_find looked_for(const topic_partition& at) const;
  [[nodiscard]] uint64_t generation(const topic_partition& at) const;

  // -- questions ---
  struct ask_fetch {
    int64_t offset;
    int32_t epoch;
    size_t bytes_max;
    duration wait; // at the node; none where partitions take turns, or an empty one would hold up the next
  };
  struct question {
    uint64_t id = 0;
    topic_partition at;
    topic_id topic;
    std::variant<ask_fetch, place_to_find> what;
  };
  // Every partition that has something to ask now, in turn.
  std::vector<question> questions(instant now);
  struct effect {
    bool refresh = false;
    bool ready = false;
  }; // ready: poll() has something
  effect fetch_answered(uint64_t id, const result<fetched>& answer, instant now, random_source& random);
  effect place_answered(uint64_t id, const result<std::optional<int64_t>>& answer, instant now,
                        random_source& random);
  // It could not be asked at all.
  effect not_asked(uint64_t id, const error& why, instant now, random_source& random);
  // Asks again at once where a pause was on: connections or leaders have changed.
  void retry_now();
  // The partition is no more: poll() tells it once.
  void lost(const topic_partition& at, const error& why);
  [[nodiscard]] std::optional<instant> next_wakeup(instant now) const;

  // -- what poll() takes ---
  std::optional<chunk> take();
  // Of a chunk taken: everything below `position` was handed out. False: a seek came between, drop the rest.
  bool advance(const chunk& taken, int64_t position);
  // The chunk's memory is free.
  void release(const chunk& taken);
  std::optional<error> take_error();
  [[nodiscard]] std::vector<std::string> troubles() const { return troubles_.list(); }
  [[nodiscard]] size_t buffered_bytes() const { return buffered_; }

  // The first broken invariant in words.
  [[nodiscard]] std::optional<std::string> check_invariants() const;

private:
  struct part {
    topic_id topic;
    uint64_t generation = 0;
    std::optional<int64_t> position; // none: `place` is to be found
    place_to_find place = at_end{};
    int64_t fetch_next = 0;
    int32_t fetch_epoch = -1; // of the record before fetch_next
    bool paused = false;
    bool dead = false;  // told an error that ends reading here, until a seek
    uint64_t asked = 0; // the question under way
    instant asked_at{};
    size_t reserved = 0;
    uint32_t failures = 0;
    uint32_t empty = 0;  // answers without records since the last with some
    uint32_t resets = 0; // likewise: positions that were out of range
    instant not_before{};
    std::deque<chunk> chunks;
    size_t buffered = 0;
    std::optional<error> failure; // for poll()
  };
  [[nodiscard]] std::optional<std::string> wrong_place(const part& p) const;
  part* answering(uint64_t id);
  void restart(part& p);
  void settle_at(part& p, int64_t offset);
  void nothing_new(part& p, instant now, random_source& random);
  effect failed(part& p, const topic_partition& at, const error& e, instant now, random_source& random);
  [[nodiscard]] place_to_find reset_place() const;

  fetch_settings settings_;
  std::map<topic_partition, part> parts_;
  std::map<uint64_t, topic_partition> asked_;
  uint64_t next_id_ = 1;
  uint64_t next_generation_ = 1;
  size_t buffered_ = 0; // of partitions that are not paused, and of chunks taken
  size_t reserved_ = 0;
  topic_partition last_asked_;
  topic_partition last_taken_;
  cause_list troubles_;
};

} // namespace pessoa::client
