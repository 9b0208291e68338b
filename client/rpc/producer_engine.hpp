// A producer's two sides: append() on the callers' threads, which only touches memory, and the loop, which
// sends, repeats and calls back. Between them one queue with a lock per partition.
//
// Nothing here blocks. Who wants to wait (producer.cpp) uses wait_for_change().
#pragma once

#include "client/core/partition_queue.hpp"
#include "client/core/partitioner.hpp"
#include "client/core/send_gate.hpp"
#include "client/rpc/engine.hpp"
#include "pessoa/producer.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

namespace pessoa::client {

class producer_engine final : public engine_part, public std::enable_shared_from_this<producer_engine> {
public:
  producer_engine(std::shared_ptr<engine> cluster, client_config config);

  // -- any thread ---
  // Errors of producer::try_send. `overloaded` means: try again after a change.
  result<void> append(std::string_view topic, const record_ref& record, delivery_callback&& done);
  // Marks what is there as due; pairs of (partition, number of records accepted by now) to wait for.
  struct mark;
  std::vector<mark> flush();
  [[nodiscard]] static uint64_t missing(const std::vector<mark>& marks); // records without an answer
  // The first error of a record without a callback since the last call.
  std::optional<error> take_first_error();

  [[nodiscard]] uint64_t changes() const { return changes_.load(); }
  // Returns when changes() is above `seen`, at the latest after `limit`.
  void wait_for_change(uint64_t seen, duration limit);

  [[nodiscard]] producer::statistics stats() const;
  [[nodiscard]] const client_config& config() const { return config_; }

  // -- the loop ---
  void start(std::function<void(result<void>)> done); // gets a producer id
  void look_again() override;
  void end(const error& why) override;
  [[nodiscard]] std::optional<std::string> check_invariants() override;

private:
  struct topic_sink;
  struct partition_sink {
    partition_sink(std::string name, const queue_settings& settings, int32_t i, uint64_t n)
        : queue(std::move(name), settings), index(i), number(n) {}
    std::mutex mutex;
    partition_queue queue; // under mutex
    uint64_t accepted = 0; // under mutex
    bool gone = false;     // under mutex: its topic was deleted
    std::atomic<uint64_t> told{0};
    std::atomic<bool> dirty{false};
    const int32_t index;
    const uint64_t number; // in the order of their making
    std::weak_ptr<topic_sink> topic;
    // -- of the loop ---
    std::optional<instant> wakeup;
    std::set<int64_t> ids; // producer ids used here
    bool wants_id = false;
  };
  struct topic_sink {
    explicit topic_sink(size_t sticky_bytes) : sticky(sticky_bytes) {}
    std::string name;
    known_topic known; // of the loop
    std::atomic<size_t> message_bytes_max{0};
    std::mutex mutex;
    partitioner sticky;                                      // under mutex
    std::vector<partition_info> infos;                       // under mutex
    std::vector<std::shared_ptr<partition_sink>> partitions; // under mutex
  };
  using sink_ptr = std::shared_ptr<partition_sink>;

public:
  struct mark {
    sink_ptr at;
    uint64_t accepted;
  };

private:
  result<std::shared_ptr<topic_sink>> find(std::string_view topic);
  result<sink_ptr> choose(topic_sink& topic, const record_ref& record, size_t bytes);
  void wake(const sink_ptr& sink);
  void changed();

  void drain_dirty();
  void pump(const sink_ptr& sink);
  void answered(const std::shared_ptr<link>& at);
  void carry_out(const sink_ptr& sink, partition_queue::actions&& actions, const std::shared_ptr<link>& at);
  void call_back(const sink_ptr& sink, partition_queue::finished& end);
  void send(const sink_ptr& sink, const partition_queue::send& what, const std::shared_ptr<link>& at);
  void give_identity(const sink_ptr& sink);
  void ask_identity(std::function<void(result<int64_t>)> done);
  void schedule(const sink_ptr& sink);
  void ring();
  void take_metadata();
  std::shared_ptr<topic_sink> make_topic(const known_topic& known);
  void update_topic(topic_sink& topic, const known_topic& known);
  void end_topic(const std::shared_ptr<topic_sink>& topic, const error& why);
  [[nodiscard]] std::vector<sink_ptr> all_sinks();

  std::shared_ptr<engine> cluster_;
  client_config config_;
  queue_settings queue_settings_;
  random_source& random_;
  std::mutex random_mutex_; // the source may not be thread-safe

  std::atomic<bool> closed_{false};
  std::atomic<size_t> buffered_{0};
  std::atomic<uint64_t> changes_{0};
  std::mutex wait_mutex_;
  std::condition_variable wait_;
  std::atomic<int> waiters_{0};

  std::shared_mutex topics_mutex_;
  std::map<std::string, std::shared_ptr<topic_sink>, std::less<>> topics_;
  std::map<std::string, bool, std::less<>>
      requested_; // metadata not there yet; true: the loop has asked for it
  std::map<std::string, error, std::less<>> refused_; // why it is not there: told once, then asked for anew

  std::mutex dirty_mutex_;
  std::vector<sink_ptr> dirty_;
  bool drain_posted_ = false; // under dirty_mutex_

  std::mutex error_mutex_;
  std::optional<error> first_error_;

  std::atomic<uint64_t> records_sent_{0}, records_stored_{0}, records_failed_{0};
  std::atomic<uint64_t> batches_sent_{0}, batches_repeated_{0}, bytes_sent_{0};

  // -- of the loop ---
  std::optional<int64_t> id_;
  std::map<std::shared_ptr<link>, send_gate<sink_ptr>> gates_; // while a request is on its way
  // Never in the order of addresses: a run must be replayable.
  std::map<std::pair<instant, uint64_t>, sink_ptr> wakeups_; // by moment and sink's number
  uint64_t sinks_ = 0;                                       // made so far
  alarm alarm_;
};

} // namespace pessoa::client
