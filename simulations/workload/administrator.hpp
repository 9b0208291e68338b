// A client that changes topics while others use them: creates and deletes some again and again, grows and reconfigures others,
// removes records, and asks how things stand.
//
// What was answered holds: a topic that was created is there, one that was deleted is not, partitions and settings are as
// they were changed last, and no log begins below a start that was told. What was not answered may have been done.
#pragma once

#include "client/rpc/admin_calls.hpp"
#include "simulations/workload/history.hpp"
#include "simulations/world/client_process.hpp"

namespace pessoa::sim {

struct administrator_options {
  std::vector<std::string> kept;     // topics that exist and stay
  std::vector<std::string> churning; // topics that come and go
  int32_t partitions = 3;            // of each, at first
  world_time pause_mean = 700 * millisecond;
  bool resizes = false, removes = false; // changes what a batch may weigh, removes records: again and again
  world_time resize_mean = 300 * millisecond, remove_mean = 150 * millisecond;
  bool come_by_writing = false; // the node makes topics that are written to: none is promised to be absent
};

class administrator {
public:
  static constexpr const char* check = "metadata_holds";
  static constexpr const char* about =
      "a topic that was created is there, one that was deleted is not, and partitions, "
      "settings and starts of logs are as the last answered change left them";

  administrator(client_process& in, history& past, administrator_options options);

  void start(); // inside the loop
  void stop() { stopped_ = true; }
  [[nodiscard]] size_t open() const { return open_; } // questions that wait for their answer
  // Topics that come and go do so now. From outside of its loop; no-op before start().
  void change_names();
  // Compares what is there with what was answered. `in` is the client that asks; the own one may have gone. `done` once.
  void look(client_process& in, std::function<void()> done);

private:
  enum class presence : uint8_t { absent, present, unknown };
  struct wish { // for a setting's value
    int asked = 0, open = 0;
    bool in_doubt = false;            // a change that was not answered may come at any time
    std::optional<std::string> value; // nullopt: nobody knows
  };
  // A change that was not answered may be carried out after a later one: what it concerns is not known any more.
  struct topic {
    presence is = presence::absent;
    bool busy = false, doubted = false;
    int32_t partitions = 0; // at least
    std::map<std::string, wish> config;
  };

  void next();
  void act();
  void change_name(const std::string& name);
  void create(const std::string& name);
  void drop(const std::string& name);
  void grow(const std::string& name);
  void reconfigure(const std::string& name);
  void resize();
  void remove_on();
  void set(const std::string& name, const std::string& key, const std::string& value);
  void remove_records(const std::string& name);
  void describe(const std::string& name);
  void look_at(client_process& in, std::vector<std::string> names, std::function<void()> done);
  void settle(const std::string& name, presence is, int32_t partitions);
  void compare(const std::string& name, const client::result<client::topic_description>& found);
  const std::string& any(const std::vector<std::string>& of);
  random_source& random() { return world_.random().workload; }
  void fail(std::string why) { world_.fail(check, std::move(why)); }

  world& world_;
  client_process& in_;
  history& past_;
  administrator_options options_;
  std::map<std::string, topic> topics_;
  size_t open_ = 0;
  bool begun_ = false, stopped_ = false;
};

} // namespace pessoa::sim
