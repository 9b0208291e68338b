// The network between machines: ordered byte streams, cut into fragments that arrive late, in a world that may clog, cut,
// reset and go silent, each direction for itself.
//
// A connection is two ends, each at a process. Within a connection nothing is reordered or lost, as in TCP; it may break
// (both ends hear of it), or go silent (one end hears nothing ever again and must find out by itself). Bytes on their way
// and unread ones are bounded by a window: a reader that does not read stops the writer.
#pragma once

#include "schema/seams/io_loop.hpp"
#include "simulations/world/process_loop.hpp"
#include "simulations/world/streams.hpp"
#include "simulations/world/trace.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace pessoa::sim {

struct net_options {
  world_time latency_mean = 200 * microsecond; // one way, of a fragment
  int64_t fragment_bytes_max = 16 << 10;
  int64_t window_bytes = 256 << 10;
  uint32_t connect_refused_per_mille = 0; // at random, with a listener there
};

struct net_counters {
  uint64_t connects = 0, refused = 0, resets = 0, silenced = 0, fragments = 0, bytes = 0;
};

class sim_connection;
class sim_listener;

class sim_net {
public:
  sim_net(timeline& time, random_streams& random, trace& tracing);
  ~sim_net();

  // The network as a process on this machine sees it. Everything it made must go before `loop`.
  std::unique_ptr<network> at(const machine& on, std::shared_ptr<process_loop> loop);

  // A process that dies closes what it had open, through its destructors. A machine that loses its power says nothing: call
  // this before. Its peers hear nothing until the machine is back, and then a reset when they send.
  void power_lost(const process_loop& loop);
  void set_power(const std::string& address, bool on);

  // -- faults. Directions are (from, to) by address ---
  net_options& options() { return options_; }
  // What would arrive before `until` arrives then.
  void block(const std::string& from, const std::string& to, world_time until);
  void unblock_all() { blocked_.clear(); }
  // Breaks one open connection, drawn; false when there is none.
  bool reset_one(random_source& random);
  // From now on what is sent in one direction of one open connection, drawn, vanishes.
  bool silence_one(random_source& random);
  // What is sent in one direction of one open connection, drawn, arrives at `until` at the earliest; other connections between
  // the same two overtake it.
  bool hold_one(random_source& random, world_time until);
  // Told whenever a connection that was asked for is there, by the address that asked.
  std::function<void(const std::string& from)> connected;
  // Connections that are silent are broken at last, as by a keep-alive: at the end of faults.
  void break_silent();

  [[nodiscard]] const net_counters& counters() const { return counters_; }
  [[nodiscard]] size_t open_connections() const;

private:
  friend class sim_connection;
  friend class sim_end;
  friend class sim_listener;
  friend class sim_acceptor;
  friend class sim_io_loop;
  friend class sim_process_network;

  result<std::shared_ptr<listening_socket>> listen(const std::string& address, uint16_t port,
                                                   std::shared_ptr<process_loop> loop);
  kj::Promise<kj::Own<kj::AsyncIoStream>> connect(const machine& from, std::shared_ptr<process_loop> loop,
                                                  std::string host, uint16_t port, duration timeout);
  std::shared_ptr<sim_connection> draw_open(random_source& random);
  // When something sent now arrives, not before `earliest`.
  world_time arrival(const std::string& from, const std::string& to, world_time earliest);

  timeline& time_;
  random_streams& random_;
  trace& trace_;
  net_options options_;
  net_counters counters_;
  std::map<std::pair<std::string, std::string>, world_time> blocked_;
  std::set<std::string> off_; // machines without power
  std::map<std::pair<std::string, uint16_t>, std::weak_ptr<sim_listener>> listeners_;
  std::map<uint64_t, std::weak_ptr<sim_connection>> connections_; // in the order of their making
  uint64_t next_connection_ = 1;
  uint16_t next_port_ = 20'000;
};

} // namespace pessoa::sim
