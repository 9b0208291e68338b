#include "protocol/partition/producer_rules.hpp"

#include "schema/plants.hpp"

#include <sstream>

namespace pessoa::protocol {

namespace {

constexpr int32_t sequence_mask = 0x7fffffff;
// Beyond half the circle a sequence lies behind, not ahead.
constexpr int32_t ahead_max = 1 << 30;

error refusal(ec code, const batch_header& header, const std::string& expected) {
  std::ostringstream out;
  out << "producer " << header.producer << " epoch " << header.pepoch << ": batch with sequences "
      << header.base_sequence << " to " << header.last_sequence() << ", " << expected;
  return {code, out.str()};
}

} // namespace

int32_t sequence_distance(int32_t from, int32_t to) {
  PESSOA_ASSERT(from >= 0 && to >= 0, from, to);
  return static_cast<int32_t>((static_cast<uint32_t>(to) - static_cast<uint32_t>(from)) & sequence_mask);
}

int32_t sequence_after(int32_t last) {
  PESSOA_ASSERT(last >= 0, last);
  return static_cast<int32_t>((static_cast<uint32_t>(last) + 1) & sequence_mask);
}

const producer_batch* find_duplicate(const producer_table& table, const batch_header& header) {
  if (!header.idempotent()) return nullptr;
  auto* known = table.find(header.producer);
  if (!known || known->epoch != header.pepoch) return nullptr;
  for (size_t i = PESSOA_PLANT("dedup_of_one") && known->count > 0 ? known->count - 1 : 0; i < known->count;
       ++i) {
    auto& batch = known->batches[i];
    if (batch.first_sequence == header.base_sequence && batch.last_sequence == header.last_sequence())
      return &batch;
  }
  return nullptr;
}

result<void> admit(const producer_table& table, const batch_header& header) {
  if (!header.idempotent()) return {};
  auto* known = table.find(header.producer);
  if (!known) return {};
  if (header.pepoch < known->epoch) {
    return refusal(ec::invalid_producer_epoch, header,
                   "but epoch " + std::to_string(known->epoch.value()) + " is known here");
  }
  if (header.pepoch > known->epoch) {
    if (header.base_sequence == 0) return {};
    return refusal(ec::out_of_order_sequence, header, "but a new epoch begins with sequence 0");
  }
  // The epoch is known and its batches are not (the log was truncated below them): any sequence may be the
  // next.
  if (known->count == 0) return {};
  auto expected = sequence_after(known->newest().last_sequence);
  if (header.base_sequence == expected) return {};
  return refusal(ec::out_of_order_sequence, header, "but the next sequence is " + std::to_string(expected));
}

void refused_sequences::note(const batch_header& header, ec why, instant now, size_t producers_max) {
  if (!header.idempotent()) return;
  mark fresh{header.pepoch, header.base_sequence, why, now};
  auto at = first_.find(header.producer);
  if (at == first_.end()) {
    if (first_.size() < producers_max) first_.emplace(header.producer, fresh);
    return;
  }
  auto& known = at->second;
  if (header.pepoch < known.epoch) return;
  bool stale = header.pepoch > known.epoch || known.noted + patience <= now;
  bool earlier = sequence_distance(header.base_sequence, known.sequence) < ahead_max;
  if (stale || earlier) known = fresh;
}

result<void> refused_sequences::check(const batch_header& header, instant now) const {
  if (!header.idempotent()) return {};
  auto at = first_.find(header.producer);
  if (at == first_.end() || at->second.epoch != header.pepoch || at->second.noted + patience <= now)
    return {};
  auto& known = at->second;
  auto ahead = sequence_distance(known.sequence, header.base_sequence);
  if (ahead == 0 || ahead >= ahead_max) return {}; // what lies before it is admit()'s to judge
  return refusal(known.why, header,
                 "but sequence " + std::to_string(known.sequence) + " was refused and must come again first");
}

void refused_sequences::admitted(const batch_header& header) {
  if (!header.idempotent()) return;
  auto at = first_.find(header.producer);
  if (at != first_.end() && at->second.epoch <= header.pepoch) first_.erase(at);
}

void refused_sequences::expire(instant now) {
  for (auto at = first_.begin(); at != first_.end();) {
    at = at->second.noted + patience <= now ? first_.erase(at) : std::next(at);
  }
}

} // namespace pessoa::protocol
