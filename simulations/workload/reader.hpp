// Clients that read: the real consumer from the start of its topics on, and again from the start now and then.
#pragma once

#include "client/rpc/consumer_engine.hpp"
#include "simulations/workload/history.hpp"
#include "simulations/world/client_process.hpp"

namespace pessoa::sim {

struct reader_options {
  std::vector<std::string> topics;
  world_time pause_mean = 50 * millisecond; // between two looks
  uint32_t rewind_per_mille = 5;            // of the looks: back to the start, or to an offset that was read
  uint32_t begin_per_mille = 0;             // of the looks: asks anew what its topics are, as those do that come and go
};

class reader {
public:
  reader(client_process& in, history& past, reader_options options);
  ~reader();

  void start(); // inside the loop
  void stop() { stopped_ = true; }
  // Where it stands, per partition; only partitions that it has read from or looked up.
  [[nodiscard]] const std::map<place, int64_t>& next() const { return next_; }

  // Calls `done` when it has read every partition of its topics from start to the end that was there when it began, and
  // has told the history so. Instead of start().
  void read_everything(std::function<void()> done);

private:
  void assign(std::function<void()> then);
  void assign_from(size_t index,
                   std::shared_ptr<std::vector<std::pair<client::topic_partition, topic_id>>> found,
                   std::function<void()> then);
  void look();
  void rewind();
  void take();
  void check_whole(const std::function<void()>& done);
  [[nodiscard]] bool has_read(const place& at, std::pair<int64_t, int64_t>& bounds);

  client_process& in_;
  history& past_;
  reader_options options_;
  std::shared_ptr<client::consumer_engine> consumer_;
  std::vector<std::pair<client::topic_partition, topic_id>> assigned_;
  std::map<place, int64_t> next_;                       // the offset after the last one read
  std::map<place, std::pair<int64_t, int64_t>> bounds_; // start, as far as it has moved, and end, of read_everything
  bool stopped_ = false, whole_ = false;
};

} // namespace pessoa::sim
