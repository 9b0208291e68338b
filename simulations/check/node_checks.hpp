// What is looked at inside a node after each of its steps: the invariants of the rules, and what a high watermark promises.
#pragma once

#include "protocol/partition/partition_leader.hpp"
#include "simulations/check/damage.hpp"
#include "simulations/check/durability.hpp"
#include "simulations/check/loss_check.hpp"
#include "simulations/world/world.hpp"

#include <caf/abstract_actor.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace pessoa::actors {
struct partition_state;
}

namespace pessoa::sim {

class node_checks {
public:
  // Lives as long as the world runs.
  node_checks(world& of, node_place& node, std::function<damage(const partition_key&)> damaged);

  // The node lives, and serves every partition that it should.
  [[nodiscard]] bool all_online() const;
  // A directory of a partition that belongs to no topic; why nobody can say, while the node is not ready.
  [[nodiscard]] std::optional<std::string> leftover() const;
  // The highest high watermark of the partition that anybody was shown.
  [[nodiscard]] offset shown(const partition_key& key) const;

private:
  void look(process& ran);
  void look_at_partition(const caf::abstract_actor& actor);
  // What controller and brokers make of the metadata log: whoever has come to one record of it knows the same, in every life.
  void look_at_metadata(const caf::abstract_actor& actor);
  // An epoch is served by one leader, and later leaders have higher ones, also after restarts (rules.md 2).
  void look_at_epoch(const protocol::partition_leader& leader, caf::actor_id who);
  // Once in a while, at all partitions: nobody's answer is overdue for long, and none is offline for a mistake of ours.
  void look_at_all();
  // DeleteRecords waits for the commit that runs, and for no other.
  void look_at_turns(const actors::partition_state& partition);
  // A stop is called clean only when every log was closed in order.
  void look_at_stop();
  // Nothing is written for long while less than the reserve is free.
  void look_at_reserve(const partition_key& key);
  void look_for_overdue();
  void look_at_offline();

  world& world_;
  node_place& node_;
  std::function<damage(const partition_key&)> damaged_;
  durability_check durable_;
  loss_check losses_;
  std::map<partition_key, offset> high_watermarks_; // the highest that anybody was shown
  struct served {
    leader_epoch epoch = no_epoch;
    uint64_t life = 0;
    caf::actor_id by = 0;
  };
  std::map<partition_key, served> epochs_;
  std::map<metadata_index, uint64_t> images_; // digests
  struct waiting {
    const void* deletion = nullptr;
    offset since{0}; // the high watermark when it was first seen
  };
  std::map<partition_key, waiting> deletions_;
  std::set<partition_key> failed_;        // logs, in this life
  std::optional<world_time> short_since_; // of room on the disk
  world_time looked_ = 0, last_step_ = 0;
  std::map<partition_key, instant> overdue_; // that the last look found
  uint64_t life_ = 0;
};

} // namespace pessoa::sim
