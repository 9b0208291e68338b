// The state behind the CONTROLLER role: one proposal at a time is decided by protocol/metadata, committed to the metadata
// log, applied, and told to the brokers; then its caller is answered.
//
// One at a time, because every decision must see the state that all earlier ones made. A failed metadata log is fatal:
// the node restarts from disk and learns what was committed.
#pragma once

#include "actors/controller/metadata_log.hpp"
#include "actors/environment.hpp"
#include "actors/interfaces.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace pessoa::actors {

// Copyable carrier, because CAF copies spawn arguments.
using metadata_box = std::shared_ptr<metadata_log>;

struct controller_state {
  static inline const char* name = "controller";
  using pointer = controller_actor::stateful_pointer<controller_state>;

  explicit controller_state(pointer self_pointer) : self(self_pointer) {}

  void start(environment* env, metadata_log opened, cluster_created first);
  void subscribe(const broker_actor& broker);
  // Any of the commands; answered in order.
  template <class Command>
  void enqueue(const ptr<Command>& command) {
    constexpr size_t waiting_max = 10'000;
    if (waiting_.size() >= waiting_max)
      return command->reply->answer(error{ec::overloaded, "too many changes of metadata wait"});
    waiting_.push_back(command);
    next();
  }
  void stop(const ptr<controller_stop>& command);
  void commit_finished(const metadata_commit_done& done);

  [[nodiscard]] const protocol::metadata_image& image() const { return image_; }
  // Between two messages: the first broken invariant in words.
  [[nodiscard]] std::optional<std::string> check_invariants() const;

private:
  using command = std::variant<ptr<create_topic_command>, ptr<alter_topic_command>, ptr<delete_topic_command>,
                               ptr<register_node_command>, ptr<allocate_producer_ids_command>>;
  using records = std::vector<metadata_record>;

  void next();
  void begin_cluster();
  // What makes the cluster larger is refused while the disk is below its reserve; what frees space goes on.
  [[nodiscard]] std::optional<error> refused(const command& next) const;
  // Decides: the records to commit, or the caller has been answered and nothing follows.
  std::optional<records> decide(command& next);
  std::optional<records> decide_creation(create_topic_command& command);
  template <class Reply>
  std::optional<records> checked(result<records> decided, const responder_ptr<Reply>& reply);
  void propose(records proposal);
  void fold(const metadata_record& record);
  void answer_committed(const records& committed, metadata_index last);
  void answer_failed(const error& why);
  void close();

  pointer self;
  environment* env_ = nullptr;
  std::shared_ptr<persistence::partition_log> log_;
  leader_epoch epoch_{0};
  protocol::metadata_image image_;
  records history_;       // what a new subscriber is told first
  cluster_created first_; // the record that begins the log
  std::vector<broker_actor> brokers_;
  std::deque<command> waiting_;
  std::optional<records> proposed_;  // in flight
  std::optional<command> current_;   // who asked for it; none for the controller's own
  protocol::producer_id_block block_{};
  ptr<controller_stop> stopping_;
};

} // namespace pessoa::actors
