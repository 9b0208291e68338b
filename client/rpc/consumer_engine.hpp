// A consumer's two sides: the thread that polls takes records out of memory, the loop asks the leaders for
// more.
//
// Nothing here blocks but wait_for_change(), which only consumer.cpp uses.
#pragma once

#include "client/core/chunk_reader.hpp"
#include "client/core/fetch_plan.hpp"
#include "client/rpc/engine.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::client {

struct place_found {
  std::optional<int64_t> offset; // none: no record is that young
  int64_t log_end = -1;
};
// Asks the leader where a place lies now. On the loop.
kj::Promise<result<place_found>> offset_call(link& at, const topic_id& topic, int32_t partition,
                                             const place_to_find& place);

class consumer_engine final : public engine_part, public std::enable_shared_from_this<consumer_engine> {
public:
  consumer_engine(std::shared_ptr<engine> cluster, client_config config);

  // -- the polling thread ---
  // Requires: the topics' metadata is known (engine::topic).
  void assign(const std::vector<std::pair<topic_partition, topic_id>>& partitions);
  [[nodiscard]] std::vector<topic_partition> assignment() const;
  // The error of all: invalid_argument, not assigned.
  result<void> pause(const topic_partition& at, bool paused);
  result<void> seek(const topic_partition& at, int64_t offset);
  result<void> seek(const topic_partition& at, place_to_find place);
  // nullopt: still to be found.
  result<std::optional<int64_t>> position(const topic_partition& at) const;
  // What is there now, up to "max.poll.records"; empty when there is nothing.
  result<records> take();
  [[nodiscard]] std::vector<std::string> troubles() const;

  [[nodiscard]] uint64_t changes() const { return changes_.load(); }
  void wait_for_change(uint64_t seen, duration limit);
  void changed();

  [[nodiscard]] const client_config& config() const { return config_; }

  // -- the loop ---
  void look_again() override;
  void end(const error& why) override;
  [[nodiscard]] std::optional<std::string> check_invariants() override;

private:
  void wake();
  void pump();
  void ask(const fetch_plan::question& q);
  void follow_up(const fetch_plan::effect& effect);

  std::shared_ptr<engine> cluster_;
  client_config config_;
  mutable std::mutex mutex_;
  fetch_plan plan_;                     // under mutex_
  std::optional<error> closed_;         // under mutex_
  std::optional<chunk_reader> current_; // of the polling thread
  std::atomic<uint64_t> changes_{0};
  std::mutex wait_mutex_;
  std::condition_variable wait_;
  std::atomic<bool> pump_posted_{false};
  alarm alarm_; // of the loop
};

} // namespace pessoa::client
