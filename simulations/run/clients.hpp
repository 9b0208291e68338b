// Who works in a run: the real clients, administrators, and those that speak Kafka's protocol or nonsense, from the first topic to
// the last look.
#pragma once

#include "simulations/run/knobs.hpp"
#include "simulations/run/scenario.hpp"
#include "simulations/workload/administrator.hpp"
#include "simulations/workload/foreign_clients.hpp"
#include "simulations/workload/reader.hpp"
#include "simulations/workload/writer.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::sim {

class clients {
public:
  clients(world& of, history& past, const scenario& what, knobs& drawn);
  ~clients() { end(); }
  clients(const clients&) = delete;
  clients& operator=(const clients&) = delete;

  // Once. created() when they are all there.
  void create_topics();
  [[nodiscard]] bool created() const { return created_; }
  // Everybody begins.
  void work();
  // The administrators ask for topics to come or go, now.
  void change_names();
  // Nothing new is asked for; what is under way is answered sooner or later.
  void stop();
  // Requests without an answer, and in words; nullopt: none.
  [[nodiscard]] std::optional<std::string> open() const;
  // Whoever works has gone.
  void end();
  // Reads all there is, and compares. Until unread() is nullopt.
  void begin_last_look();
  [[nodiscard]] std::optional<std::string> unread() const;

private:
  client_process& add(const std::string& name, std::map<std::string, std::string> more = {});
  void create_topic(size_t index);
  void add_writer(const std::string& name, const std::vector<std::string>& topics, bool idempotent,
                  std::map<std::string, std::string> settings = {});
  void add_reader(const std::string& name, const std::vector<std::string>& topics,
                  uint32_t begin_per_mille = 0);
  void add_administrator();

  world& world_;
  history& past_;
  const scenario& what_;
  knobs& knobs_;
  std::vector<std::string> topics_, churning_; // that stay; that come and go
  size_t ever_ = 0;                            // processes
  std::vector<std::unique_ptr<client_process>> processes_;
  std::vector<std::unique_ptr<writer>> writers_;
  std::vector<std::unique_ptr<reader>> readers_;
  std::unique_ptr<administrator> administrator_;
  std::unique_ptr<foreign_clients> foreign_;
  bool created_ = false, looked_ = false;
};

} // namespace pessoa::sim
