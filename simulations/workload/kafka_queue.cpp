#include "simulations/workload/kafka_queue.hpp"

#include <algorithm>

namespace pessoa::sim {

namespace {

enum class reaction : uint8_t { stored, again, in_doubt, out_of_order, refused, never };

// What clients make of Kafka's numbers in an answer to Produce.
reaction reaction_to(int16_t code) {
  switch (code) {
  case 0:
    return reaction::stored;
  case 3:  // unknown topic or partition
  case 5:  // leader not available
  case 6:  // not leader
  case 19: // not enough replicas; here also: no room
  case 56: // storage error, disk full
    return reaction::again;
  case 7:  // request timed out
  case 13: // network exception
  case 20: // not enough replicas after append
    return reaction::in_doubt;
  case 45:
    return reaction::out_of_order;
  case 32: // a time out of range: clocks jump
    return reaction::refused;
  default:
    return reaction::never;
  }
}

client::error unknown(const std::string& why) { return {ec::unknown_result, why}; }

} // namespace

// -- sending ---

kafka_queue::batch_ptr kafka_queue::next(const batch_identity& as, world_time now) {
  if (settling_ && in_flight_ == 0) settling_ = false;
  // A node that knows nothing of the id takes any number: until it has one, batches travel alone.
  auto most = options_.idempotent && !proven_ ? 1 : options_.in_flight_max;
  if (hole_ || settling_ || now < not_before_ || in_flight_ >= most) return nullptr;
  auto found = std::find_if(batches_.begin(), batches_.end(), [](auto& b) { return !b->in_flight; });
  if (found == batches_.end()) return nullptr;
  auto& out = **found;
  if (options_.idempotent && out.sequence < 0) {
    out.sequence = next_sequence_;
    next_sequence_ += static_cast<int32_t>(out.names.size());
    auto header = parse_batch_header(out.data);
    PESSOA_ASSERT(header.ok());
    header->producer = as.producer;
    header->pepoch = as.epoch;
    header->base_sequence = out.sequence;
    write_batch_header(out.data.data(), *header);
    seal_batch(out.data);
  }
  out.in_flight = true;
  ++in_flight_;
  return *found;
}

// -- answers ---

void kafka_queue::answered(const batch_ptr& which, const kafka::produce_response::topic::partition& told,
                           world_time now, world_time pause) {
  come_back(which);
  switch (reaction_to(told.error_code)) {
  case reaction::stored:
    return stored(which, told.base_offset);
  case reaction::in_doubt:
    which->in_doubt = true;
    if (!options_.idempotent && !options_.repeats)
      return give_up(which, unknown("error " + std::to_string(told.error_code)));
    return again(now + pause);
  case reaction::again:
    if (!options_.idempotent && !options_.repeats)
      return give_up(which, {ec::overloaded, "error " + std::to_string(told.error_code)});
    return again(now + pause);
  case reaction::out_of_order:
    return out_of_order(which, now + pause);
  case reaction::refused:
    return give_up(which, {ec::invalid_timestamp, told.error_message.value_or("")});
  case reaction::never:
    break;
  }
  world_.fail("kafka_is_spoken_right", name_of(which) + " is answered with error "
                                           + std::to_string(told.error_code) + ": "
                                           + told.error_message.value_or(""));
}

void kafka_queue::lost(const batch_ptr& which, world_time now, world_time pause) {
  come_back(which);
  which->in_doubt = true;
  if (!options_.idempotent && !options_.repeats) return give_up(which, unknown("the connection was lost"));
  again(now + pause);
}

void kafka_queue::come_back(const batch_ptr& which) {
  PESSOA_ASSERT(which->in_flight && in_flight_ > 0);
  which->in_flight = false;
  --in_flight_;
}

void kafka_queue::again(world_time when) {
  settling_ = true;
  not_before_ = std::max(not_before_, when);
}

void kafka_queue::stored(const batch_ptr& which, int64_t base) {
  for (size_t i = 0; i < which->names.size(); ++i)
    past_.acknowledged(which->names[i], at_, base < 0 ? -1 : base + static_cast<int64_t>(i));
  // Numbers are stored in their order: a batch that was certainly not stored cannot lie before this one.
  if (options_.idempotent && proven_ && !past_.is_loose(at_.topic) && !past_.is_damaged(at_))
    for (auto& before : batches_) {
      if (before == which) break;
      if (!before->in_doubt && !before->in_flight)
        world_.fail("sequences_hold",
                    name_of(which) + " is stored, and " + name_of(before) + " before it was not");
    }
  proven_ = true;
  std::erase(batches_, which);
}

// The node misses an earlier batch. It may be right: one that was refused, given up, or is to be sent again.
void kafka_queue::out_of_order(const batch_ptr& which, world_time when) {
  if (!options_.idempotent)
    return world_.fail("sequences_hold",
                       name_of(which) + " has no number, and is told that it is out of order");
  if (is_first(which) && !hole_ && !past_.is_loose(at_.topic) && !past_.is_damaged(at_))
    return world_.fail("sequences_hold",
                       name_of(which) + ", number " + std::to_string(which->sequence)
                           + ", is told that a batch before it is missing, and all are stored");
  again(when);
}

// -- giving up ---

void kafka_queue::give_up(const batch_ptr& which, const client::error& why) {
  auto told = which->in_doubt ? unknown(why.message) : why;
  for (auto& name : which->names)
    past_.failed(name, told);
  if (which->sequence >= 0) hole_ = true;
  std::erase(batches_, which);
}

void kafka_queue::expire(world_time now) {
  std::vector<batch_ptr> late;
  for (auto& batch : batches_)
    if (!batch->in_flight && batch->deadline <= now) late.push_back(batch);
  for (auto& batch : late)
    give_up(batch, {ec::overloaded, "it could not be sent in time"});
}

void kafka_queue::begin_again() {
  PESSOA_ASSERT(in_flight_ == 0);
  std::vector<batch_ptr> doubtful;
  for (auto& batch : batches_) {
    if (batch->in_doubt) doubtful.push_back(batch);
    batch->sequence = batch->in_doubt ? batch->sequence : -1;
  }
  for (auto& batch : doubtful)
    give_up(batch, unknown("its producer began again"));
  next_sequence_ = 0;
  proven_ = hole_ = settling_ = false;
}

size_t kafka_queue::open() const {
  size_t out = 0;
  for (auto& batch : batches_)
    out += batch->names.size();
  return out;
}

std::string kafka_queue::name_of(const batch_ptr& which) const {
  return "a batch that begins with " + which->names.front().substr(0, 40) + " for " + at_.topic + "["
         + std::to_string(at_.partition) + "]";
}

} // namespace pessoa::sim
