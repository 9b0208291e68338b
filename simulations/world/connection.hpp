// A connection of the simulated network: two ends and what is between them. Only net.cpp and connection.cpp look inside.
#pragma once

#include "simulations/world/net.hpp"

#include <algorithm>
#include <vector>

namespace pessoa::sim {

class sim_connection : public std::enable_shared_from_this<sim_connection> {
public:
  using side = size_t; // 0 connected, 1 accepted
  static side other(side s) { return 1 - s; }

  sim_connection(sim_net& net, uint64_t id, host_port client, host_port server) : net_(net), id_(id) {
    ends_[0].address = std::move(client);
    ends_[1].address = std::move(server);
  }

  // The stream of one side, to be made and used inside that side's loop. Once per side.
  kj::Own<kj::AsyncIoStream> open(side s, std::shared_ptr<process_loop> loop);

  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] const host_port& address(side s) const { return ends_[s].address; }
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] bool silent() const {
    return ends_[0].silent || ends_[1].silent || ends_[0].off || ends_[1].off;
  }
  [[nodiscard]] bool between(const process_loop& loop) const {
    return ends_[0].loop.get() == &loop || ends_[1].loop.get() == &loop;
  }

  // Both ends hear DISCONNECTED.
  void reset();
  // What is sent to this side from now on vanishes.
  void silence(side s) { ends_[s].silent = true; }
  // What is sent to this side from now on arrives then at the earliest, also when its sender has closed meanwhile.
  void hold(side s, world_time until) { ends_[s].clear = std::max(ends_[s].clear, until); }
  // The machine of this process has lost its power: it says nothing and answers nothing until it is back.
  void power_lost(const process_loop& loop);
  void power_back(const std::string& address);

private:
  friend class sim_end;

  struct end {
    host_port address;
    std::shared_ptr<process_loop> loop; // null: never opened, closed, or dead
    bool opened = false;
    // -- towards this end ---
    std::vector<uint8_t> in; // arrived and unread, from in_begin on
    size_t in_begin = 0;
    size_t on_the_way = 0;
    world_time clear = 0; // nothing arrives before
    bool eof = false;     // after `in`
    bool silent = false;
    bool off = false;  // its machine has no power
    bool deaf = false; // reading was aborted, or the stream closed: what arrives breaks the connection
    // -- reading ---
    uint8_t* to =
        nullptr; // the buffer of who waits; what arrives goes there at once, so that the window opens
    size_t had = 0, min = 0, max = 0;
    kj::Own<kj::PromiseFulfiller<size_t>> reader;
    // -- from this end ---
    std::vector<uint8_t> unsent;
    bool write_ended = false, fin_sent = false;
    kj::Own<kj::PromiseFulfiller<void>> writer;
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> watchers;

    [[nodiscard]] size_t unread() const { return in.size() - in_begin; }
    size_t take(uint8_t* into, size_t count);
    // Fills the buffer as far as it goes; whether the read is over.
    bool fill();
  };

  kj::Promise<size_t> read(side s, void* buffer, size_t min, size_t max);
  kj::Promise<void> write(side s, std::vector<uint8_t> data);
  kj::Promise<void> when_disconnected(side s);
  void end_writing(side s);
  void stop_reading(side s);
  void close(side s);

  void flush(side from);
  void arrive(side s, std::vector<uint8_t> data);
  void arrive_end(side s);
  void wake(side s);
  void serve(side s); // inside its loop: answers who waits, as far as it goes
  [[nodiscard]] static kj::Exception gone();

  sim_net& net_;
  const uint64_t id_;
  end ends_[2];
  bool broken_ = false;
};

} // namespace pessoa::sim
