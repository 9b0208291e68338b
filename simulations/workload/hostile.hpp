// A client that means no good: connects to a node's ports and by turns talks nonsense, lies about lengths, falls silent in
// the middle, damages requests, comes to the wrong port, asks for much and takes nothing, comes in crowds, and leaves while
// it is answered.
//
// Nothing that it does may end the node, keep the honest clients from their work for ever, or make the node's memory grow
// beyond its budget; check/survival.hpp and the history look at that. It goes on until it is destroyed: in the calm, too,
// so that honest clients must come to their end beside it.
#pragma once

#include "simulations/workload/hostile_bytes.hpp"
#include "simulations/world/program.hpp"

#include <map>

namespace pessoa::sim {

struct hostile_options {
  std::vector<std::string> topics;
  std::string node = "10.0.0.1";
  world_time pause_mean = 200 * millisecond; // between two visits
  size_t visits_max = 24;                    // at a time
  int64_t crowd_max = 120;                   // connections of one visit in a crowd
};

class hostile {
public:
  // `in` is its own program. Its randomness is its own: a run without it draws the same for the others.
  hostile(program& in, hostile_options options, uint64_t seed);
  ~hostile();

  void start(); // inside the loop
  // Visits that got a connection, by what was done there.
  [[nodiscard]] const std::map<std::string, uint64_t>& visits() const { return visits_; }

private:
  struct visit {
    hostile_port port;
    kj::Own<kj::AsyncIoStream> stream;
    raw_bytes saying;
    kj::byte heard[1024];
  };
  using visit_ptr = std::shared_ptr<visit>;
  struct trick {
    const char* name;
    uint32_t weight;
    kj::Promise<void> (hostile::*play)(visit_ptr);
  };
  static const std::vector<trick>& tricks();

  void go_on();
  kj::Promise<void> pay_visit();
  const trick& draw_trick();
  kj::Promise<kj::Own<kj::AsyncIoStream>> connect(hostile_port port);
  kj::Promise<void> ignore_loss(kj::Promise<void> task);

  kj::Promise<void> talk_nonsense(visit_ptr at);
  kj::Promise<void> lie(visit_ptr at);
  kj::Promise<void> fall_silent(visit_ptr at);
  kj::Promise<void> damage(visit_ptr at);
  kj::Promise<void> come_to_the_wrong_port(visit_ptr at);
  kj::Promise<void> take_nothing(visit_ptr at);
  kj::Promise<void> come_in_a_crowd(visit_ptr at);
  kj::Promise<void> leave_early(visit_ptr at);

  // Says it, as far as the node listens within the span.
  kj::Promise<void> say(visit_ptr at, raw_bytes what, world_time span);
  // Hears what comes until the node closes, or the span is over.
  kj::Promise<void> hear(visit_ptr at, world_time span);
  kj::Promise<void> hear_on(visit_ptr at);
  [[nodiscard]] world_time moment(int64_t ms_max) { return between(random_, 1, ms_max) * millisecond; }

  program& in_;
  const hostile_options options_;
  seeded_random random_;
  size_t here_ = 0; // visits under way
  std::map<std::string, uint64_t> visits_;
};

} // namespace pessoa::sim
