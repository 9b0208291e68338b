// What a Kafka client keeps up beside its work: a connection, which versions both sides speak, where the partitions are.
//
// After each connect it asks ApiVersions and Metadata as real clients do, then calls on_up; when the link is lost it calls
// on_down, waits and connects again, for ever. Which versions a client would like is drawn once, and lowered to what the
// node offers. There is one connection, to the bootstrap address: a cluster of one node needs no other.
#pragma once

#include "simulations/workload/history.hpp"
#include "simulations/workload/kafka_link.hpp"

#include <functional>
#include <map>
#include <memory>

namespace pessoa::sim {

struct kafka_session_options {
  std::vector<std::string> topics;
  host_port bootstrap{"10.0.0.1", 9092};
  world_time connect_timeout = second;
  world_time request_timeout = 2 * second;
  world_time backoff_mean = 100 * millisecond;
  world_time metadata_age = 10 * second; // after which it is asked for again
};

class kafka_session {
public:
  struct partition {
    int16_t error = 0;
    int32_t leader = -1, epoch = -1;
  };
  struct topic {
    topic_id id; // all zeros when the version says none
    std::vector<partition> partitions;
  };

  // Lives as long as its program; `past` knows which topics were dropped.
  kafka_session(program& in, const history& past, kafka_session_options options);
  ~kafka_session();
  KJ_DISALLOW_COPY(kafka_session);

  std::function<void()> on_up, on_down;
  void begin(); // inside the loop

  [[nodiscard]] bool up() const { return up_; }
  // Requires: up().
  template <class Request>
  kj::Promise<result<kafka_answer_of<Request>>> ask(const Request& asked, world_time extra = 0) {
    return link_->ask(asked, version<Request>(), extra);
  }
  // What is spoken with this node. Requires: up().
  template <class Request>
  [[nodiscard]] int16_t version() const {
    return versions_.at(Request::message_key);
  }

  [[nodiscard]] const std::map<std::string, topic>& topics() const { return topics_; }
  // Null: not known, or without a leader now.
  [[nodiscard]] const partition* leader_of(const place& at) const;
  // Something was not where it should be: asks for metadata again, soon.
  void refresh();

  [[nodiscard]] program& in() { return in_; }
  [[nodiscard]] random_source& random() { return in_.of().random().workload; }
  [[nodiscard]] const history& past() const { return past_; }
  [[nodiscard]] const kafka_session_options& options() const { return options_; }
  // Something that no honest client may be told.
  void wrong(const std::string& what);

private:
  kj::Promise<void> live();
  kj::Promise<void> greet();
  kj::Promise<void> ask_versions();
  kj::Promise<void> ask_metadata();
  void read_versions(const kafka::api_versions_response& got);
  bool read_metadata(const kafka::metadata_response& got);
  kafka::metadata_request metadata_question();

  program& in_;
  const history& past_;
  kafka_session_options options_;
  std::map<kafka::api_key, int16_t> wishes_, versions_;
  std::unique_ptr<kafka_link> link_;
  std::map<std::string, topic> topics_;
  bool up_ = false, asking_ = false;
  uint64_t connection_ = 0; // of which an answer is
};

} // namespace pessoa::sim
