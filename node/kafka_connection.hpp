// One Kafka client: its requests whole from the frame reader to the service, the answers back in the order of the
// requests.
//
// Requests are served side by side, a bounded number at a time; while there are too many, or too many bytes of answers
// wait, or the peer is muted, nothing is read on. A request that gets no answer takes its turn silently. What an answer
// holds (pieces by reference, places in budgets) is let go of as it is written.
//
// The connection ends when the peer does, when an answer says so, when the peer breaks the framing, keeps us waiting or
// does not take its answers, or when the listener stops: then what is open is still answered. Parked requests are dropped
// with it. Who speaks another protocol is told so in that protocol, if we know how.
//
// Lives on one loop. Format: docs/formats/kafka-framing.md.
#pragma once

#include "kafka/service.hpp"
#include "node/kafka_frame_reader.hpp"
#include "node/stream_listener.hpp"

#include <deque>
#include <functional>

namespace pessoa::node {

struct kafka_connection_options {
  kafka_frame_options frames;
  size_t budget_bytes = connection_bytes_budget; // of its large requests
  size_t small_budget_bytes = 2u << 20;          // of its small ones
  // Requests read and not answered in full. librdkafka sends one for each partition it writes to, without waiting.
  size_t open_requests_max = 256;
  size_t open_requests_before_first_max = 3; // python's client sends two at once
  size_t unsent_bytes_max =
      8u << 20; // answers that wait for their turn or for the peer; a single one may be larger
  // A peer that takes less than write_bytes_max in that time while answers wait for it is cut.
  duration slow_reader_deadline = std::chrono::seconds{30};
  size_t write_bytes_max = 256u << 10; // handed to the socket at a time, so that progress is seen
  duration idle_deadline = std::chrono::minutes{10}; // Kafka's connections.max.idle.ms
  duration farewell = std::chrono::seconds{2}; // how long a peer that we leave has to take our last words
  // For who came to the wrong port: "pessoa speaks to 18880", "HTTP is served on 127.0.0.1:18882".
  std::string rpc_hint, http_hint;
};

// What the requests of one connection are charged to: made from the budgets of the listener.
struct kafka_listener_budgets {
  std::shared_ptr<byte_budget> first_small, first_large; // of all connections before their first answer
  std::shared_ptr<byte_budget> small;                    // the node's
  std::shared_ptr<byte_budget> large;                    // a part of it
  static kafka_listener_budgets of(std::shared_ptr<byte_budget> node);
};

class kafka_connection final : public stream_connection {
public:
  // `options` and `service` must outlive it.
  kafka_connection(stream_arrival arrival, const kafka_connection_options& options,
                   const kafka_listener_budgets& budgets, kafka::service& service,
                   std::unique_ptr<kafka::gateway> to);
  ~kafka_connection() noexcept(false) override;

  kj::Promise<void> run() override;
  void close(error reason) override;
  void check_deadlines() override;

private:
  // A request until its answer is written.
  struct turn {
    std::optional<kafka::answer> answer;
    uint64_t end = 0; // in bytes queued, once lined up
    kj::Promise<void> serving = nullptr;
  };

  kj::Promise<void> read_on();
  kj::Promise<void> when_allowed();
  [[nodiscard]] bool has_room() const;
  void serve(kafka_frame frame);
  void answered(turn& of, kafka::answer answer);

  kj::Promise<void> write_on();
  void line_up();
  void settle();
  size_t fill_chunk();
  void wrote(size_t count);

  [[nodiscard]] size_t unsent_bytes() const { return answered_bytes_ - written_; }
  void refuse(error reason); // logs it and ends
  void broken(const kj::Exception& e);
  void end();
  kj::Promise<void> finish();
  kj::Promise<void> last_words();

  io_loop& loop_;
  const kafka_connection_options& options_;
  kafka::service& service_;
  stream_traffic& traffic_;
  const std::function<void(const std::string&, const error&)> on_refused_;
  std::unique_ptr<connection_caps::slot> slot_;
  std::shared_ptr<kafka::caller> caller_;
  kj::Own<kj::AsyncIoStream> stream_;
  kafka_frame_reader frames_;

  bool known_ = false;   // it has had an answer
  bool leaving_ = false; // nothing more is read; over when all is answered
  bool ended_ = false, peer_gone_ = false;
  kj::TimePoint muted_until_, write_began_, last_written_;
  kj::PromiseFulfillerPair<void> end_ = kj::newPromiseAndFulfiller<void>();
  kj::Own<kj::PromiseFulfiller<void>> wake_reader_, wake_writer_;

  // Answers come in any order and are lined up, in order, as pieces; counts are of bytes since the beginning.
  std::deque<std::unique_ptr<turn>> turns_; // the first of them lined up
  size_t lined_up_ = 0;
  std::deque<bytes> outgoing_;
  uint64_t answered_bytes_ = 0, queued_ = 0, written_ = 0;
  std::vector<kj::ArrayPtr<const kj::byte>> chunk_; // being written
  bool writing_now_ = false;

  kj::Promise<void> reading_ = nullptr, writing_ = nullptr; // last: they go first
};

} // namespace pessoa::node
