// Writes records. Batches them per partition, compresses, sends up to five batches of a partition at once,
// retries what may be retried, and tells what became of every single record.
//
//   auto producer = pessoa::client::producer::create(*cluster);
//   auto future = producer->send("orders", {.key = "42", .value = "paid"});
//   auto stored = future.get();   // result<delivery>
//
// Promises
// - Every record that send() accepted is answered exactly once: by its future or its callback, at the latest
// a little
//   after "delivery.timeout.ms", or at close().
// - With "enable.idempotence" (default): a record is stored at most once however often it was sent, and the
// records that
//   one thread sends to one partition are stored in that order. A record that failed leaves no gap behind it.
// - Without it, a request is repeated only when it was certainly not carried out; order holds while nothing
// is repeated.
// - An answer with acks=all means: synced to disk on the in-sync replicas.
// - Memory is bounded by "buffer.memory": send() waits for room, try_send() says so at once.
//
// Any thread may call; a producer is a handle, copies are the same producer.
#pragma once

#include "pessoa/cluster.hpp"
#include "pessoa/record.hpp"

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string_view>

namespace pessoa::client {

// Called once, on the cluster's thread: be quick, do not wait, do not throw. In order of offset within a
// partition. The error's code is timed_out when "delivery.timeout.ms" is over (its last_causes say why); its
// category says whether the record may have been stored: `unknown` means it may, anything else that it was
// not.
using delivery_callback = std::function<void(const result<delivery>&)>;

class producer {
public:
  // Takes the producer's part of the settings. Blocks until a node gave it an id (idempotence). Errors:
  // invalid_config (acks other than all with idempotence, ...), and those of cluster::info().
  static result<producer> create(const cluster& cluster, const settings& settings);
  static result<producer> create(const cluster& cluster); // with the cluster's settings

  // Waits up to "max.block.ms" for room in the buffer and for the topic's metadata. Not accepted is also
  // answered through the future. Errors at once: unknown_topic, unknown_partition, invalid_topic_name,
  // message_too_large (above "max.request.size" or the topic's max.message.bytes), overloaded (no room within
  // max.block.ms), shutting_down.
  std::future<result<delivery>> send(std::string_view topic, const record& record);
  std::future<result<delivery>> send(std::string_view topic, const record_ref& record);

  // The same without a future's allocation. When it returns an error, `done` is not called. From a callback
  // it does not wait and answers as try_send does. `done` may be empty: then nobody hears of that record but
  // flush().
  result<void> send(std::string_view topic, const record_ref& record, delivery_callback done);
  result<void> send(std::string_view topic, const record& record, delivery_callback done);

  // Never waits. Errors: overloaded (buffer full, or the topic's metadata is still on its way: retry a little
  // later), message_too_large, unknown_topic, ... When it returns an error, `done` is not called.
  result<void> try_send(std::string_view topic, const record_ref& record, delivery_callback done = {});
  result<void> try_send(std::string_view topic, const record& record, delivery_callback done = {});

  // The topic, as it will be written to: if it is not there and the cluster creates topics for writers, it is created now.
  // Waits up to "default.api.timeout.ms". Errors: unknown_topic, invalid_topic_name, and why it cannot be created.
  [[nodiscard]] result<topic_info> topic(std::string_view name) const;

  // Sends what waits without lingering, and waits until every record accepted before the call is answered.
  // Errors: timed_out (records are still on their way, the number is in the message); the first error among
  // the records that were sent without a callback since the last flush().
  result<void> flush(std::chrono::milliseconds timeout);

  // Flushes for `timeout`, then answers what is left: shutting_down (never sent) or unknown_result (sent, no
  // answer).
  void close(std::chrono::milliseconds timeout = std::chrono::seconds{30});

  struct statistics {
    uint64_t records_sent = 0;   // accepted
    uint64_t records_stored = 0; // answered with an offset
    uint64_t records_failed = 0;
    uint64_t batches_sent = 0;     // first attempts
    uint64_t batches_repeated = 0; // further attempts
    uint64_t bytes_sent = 0;       // batches as they went over the wire, further attempts too
    uint64_t buffered_bytes = 0;   // now
  };
  [[nodiscard]] statistics stats() const;

  struct state;
  explicit producer(std::shared_ptr<state> s) : state_(std::move(s)) {}

private:
  std::shared_ptr<state> state_;
};

} // namespace pessoa::client
