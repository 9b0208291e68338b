// Clients that write: the real producer, records with a name each, at a drawn pace.
#pragma once

#include "client/rpc/producer_engine.hpp"
#include "simulations/workload/history.hpp"
#include "simulations/world/client_process.hpp"

namespace pessoa::sim {

struct writer_options {
  std::vector<std::string> topics;
  std::vector<std::string> rare_topics;     // one record in ten goes to one of these; they need not be there
  world_time pause_mean = 40 * millisecond; // between two bursts
  int64_t burst_max = 3;                    // records
  int64_t padding_max = 400;                // bytes
  bool idempotent = true;
  uint32_t id_per_mille = 20;    // of the bursts: asks for a producer id, as one more producer would
  uint32_t renew_per_mille = 60; // of the bursts before which nothing is open: another producer takes over, with an id of its own
};

class writer {
public:
  // `name` is unique in the run.
  writer(client_process& in, history& past, std::string name, writer_options options);
  ~writer();

  // From the moment that the client is connected; inside its loop.
  void start();
  // No new records; what is under way is answered sooner or later.
  void stop() { stopped_ = true; }
  [[nodiscard]] size_t open() const { return open_; } // accepted, not answered

private:
  void start_producer();
  void end_producer();
  void begin();
  void renew();
  void burst();
  void send_one();
  void ask_for_id();

  client_process& in_;
  history& past_;
  std::string name_;
  writer_options options_;
  std::shared_ptr<client::producer_engine> producer_;
  uint64_t next_ = 1;
  size_t open_ = 0;
  bool stopped_ = false;
};

} // namespace pessoa::sim
