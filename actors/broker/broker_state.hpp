// The state behind the BROKER role: the applied metadata, the replicas this node hosts, and the published routes.
//
// Reconciles reality to the metadata: every change names partitions, and for each the wanted state (host it, lead epoch
// e, delete it) is compared with what is there. A directory is deleted only because a committed record says so (failures
// C9); one that no record explains is left alone and named in the log.
#pragma once

#include "actors/environment.hpp"
#include "actors/interfaces.hpp"
#include "actors/routing.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <set>

namespace pessoa::actors {

struct broker_state {
  static inline const char* name = "broker";
  using pointer = broker_actor::stateful_pointer<broker_state>;

  explicit broker_state(pointer self_pointer) : self(self_pointer) {}

  void start(environment* env);

  // -- metadata ---
  void committed(const metadata_committed& update);
  void wait_for(const ptr<index_wait>& wait);
  void wait_all_ready(const ptr<all_ready_wait>& wait);

  // -- replicas ---
  void opened(log_opened& message);
  void leading(const partition_leading& message);
  void failed(const replica_failed& message);
  void gone(const replica_gone& message);
  void leftovers_gone();

  // -- life ---
  void stop(const ptr<broker_stop>& command);
  void upkeep();
  void publish();

  [[nodiscard]] const protocol::metadata_image& image() const { return image_; }

private:
  // One partition hosted here, from the decision to open it until its copy is closed or deleted.
  struct hosted {
    bool opening = false;
    bool again = false;                // its log could not be opened before
    bool removing = false;             // a committed record deleted it
    bool ending = false;               // told to close or to delete; replica_gone follows
    replica_actor replica;             // null while opening and after a failed open
    leader_epoch asked_epoch = no_epoch;
    leader_epoch leading_epoch = no_epoch;
    partition_actor partition;
    std::optional<error> failure;
  };

  void apply(const metadata_record& record, metadata_index index);
  void reconcile(const topic_id& topic);
  void reconcile(const protocol::topic_state& topic, partition_id index);
  void open_next();
  // Its log could not be opened because the disk was full: that passes.
  [[nodiscard]] static bool waits_for_room(const hosted& entry) {
    return entry.failure && entry.failure->code == ec::disk_full && entry.replica == nullptr && !entry.opening
           && !entry.removing && !entry.ending;
  }
  void reopened(const partition_key& key, hosted& entry, bool lost);
  void remove(const partition_key& key, hosted& entry);
  void stop_replica(const partition_key& key, hosted& entry, bool remove);
  void remove_deleted_leftovers();
  void changed();
  void check_ready();
  void check_stopped();
  std::shared_ptr<const topic_route> route_of(const protocol::topic_state& topic) const;

  pointer self;
  environment* env_ = nullptr;
  protocol::metadata_image image_;
  std::set<topic_id> deleted_;                 // by records seen in this life
  std::map<partition_key, hosted> hosted_;
  std::deque<partition_key> to_open_;
  size_t opening_ = 0;
  bool caught_up_ = false;                     // the first update has been applied
  bool registered_ = false;                    // in this life: only then may an epoch be led (rules.md 2)

  std::set<topic_id> dirty_;                   // topics whose route must be made anew
  std::map<topic_id, std::shared_ptr<const topic_route>> routes_;
  bool publish_pending_ = false;
  std::vector<ptr<index_wait>> index_waits_;
  std::vector<ptr<all_ready_wait>> ready_waits_;

  std::shared_ptr<std::atomic<bool>>
      leftovers_; // a job removes them; true: it should give up. Null: none runs
  ptr<broker_stop> stopping_;
  bool stop_clean_ = true;
};

} // namespace pessoa::actors
