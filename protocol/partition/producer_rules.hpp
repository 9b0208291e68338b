// May this batch of an idempotent producer enter the log here? Kafka's rules (KIP-98; kafka-protocol.md 3,
// number 6).
//
// Promises: a batch that is one of the last five is recognised, whatever was decided since; a gap is never
// let in. Does not remember anything itself but which sequences were turned away; the memory is schema's
// producer_table.
#pragma once

#include "schema/producer_table.hpp"
#include "schema/seams/clock.hpp"

#include <map>
#include <optional>

namespace pessoa::protocol {

// How many sequences lie from `from` to `to`, going up and over the wrap (2^31-1 is followed by 0). Requires:
// both >= 0.
int32_t sequence_distance(int32_t from, int32_t to);
// The sequence after `last`.
int32_t sequence_after(int32_t last);

// The batch of `table` that `header` repeats: same producer, epoch, first and last sequence. nullptr when
// none is.
const producer_batch* find_duplicate(const producer_table& table, const batch_header& header);

// May `header`, which repeats nothing, be appended behind what `table` knows? Batches without a producer
// always may. Errors: invalid_producer_epoch (older than known), out_of_order_sequence (a new epoch that does
// not begin at 0, or a sequence that does not follow the newest). An unknown producer may begin anywhere: its
// state may have expired.
result<void> admit(const producer_table& table, const batch_header& header);

// Sequences that were refused with "nothing was done, try again", per producer: the first one that must come
// again.
//
// Without it a producer that keeps several batches in flight is lost when the first of them is refused: an
// unknown producer's second batch would be accepted and its first, coming again, be out of order for ever
// (failures T9); a known one would be told out_of_order_sequence, which ends it, for a gap that the refusal
// itself made.
//
// Only liveness hangs on it, so it may forget: after `patience`, and bounded by `producers_max` (beyond it
// nothing new is noted).
class refused_sequences {
public:
  // Kafka's delivery.timeout.ms: later than that, the client has told its user that the batch failed.
  static constexpr duration patience = std::chrono::seconds{120};

  // Notes that `header` was refused because of `why`. The earliest refused sequence of an epoch stays noted.
  void note(const batch_header& header, ec why, instant now, size_t producers_max);
  // Refuses, with the code of the first refusal, what comes behind a refused sequence before that came again.
  [[nodiscard]] result<void> check(const batch_header& header, instant now) const;
  // `header` was admitted: its producer is where it was, or has begun a new epoch. From here on admit() knows
  // enough.
  void admitted(const batch_header& header);
  // Forgets what is older than `patience`.
  void expire(instant now);

  [[nodiscard]] size_t size() const { return first_.size(); }

private:
  struct mark {
    producer_epoch epoch;
    int32_t sequence = 0;
    ec why = ec::none;
    instant noted;
  };
  std::map<producer_id, mark> first_;
};

} // namespace pessoa::protocol
