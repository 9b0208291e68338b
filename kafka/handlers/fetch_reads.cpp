#include "kafka/handlers/fetch_reads.hpp"

#include <algorithm>

namespace pessoa::kafka {

namespace {

// The least that is asked of a partition when many share the bound: else thousands would be asked for a few bytes each.
constexpr size_t share_min = 64u << 10;

kj::Promise<void> all_of(std::vector<kj::Promise<void>> promises) {
  auto list = kj::heapArrayBuilder<kj::Promise<void>>(promises.size());
  for (auto& p : promises)
    list.add(kj::mv(p));
  return kj::joinPromises(list.finish());
}

} // namespace

fetch_reads::fetch_reads(gateway& to, std::vector<partition_read> all, fetch_bounds bounds)
    : to_(to), all_(std::move(all)), bounds_(bounds) {}

size_t fetch_reads::bytes() const {
  size_t sum = 0;
  for (auto& p : all_)
    sum += p.got.batches.size();
  return sum;
}

size_t fetch_reads::count_open() const {
  return static_cast<size_t>(std::count_if(all_.begin(), all_.end(), [](auto& p) { return !p.settled(); }));
}

bool fetch_reads::done() const {
  return rounds_left_ == 0 || late_ || held_back_ || count_open() < all_.size() || all_.empty()
         || bytes() >= bounds_.bytes_min || to_.time().now() >= bounds_.deadline;
}

kj::Promise<void> fetch_reads::gather() {
  return find_divergence().then([this] { return next_round(); });
}

// -- where the client's log parts from ours ---

kj::Promise<void> fetch_reads::find_divergence() {
  std::vector<kj::Promise<void>> asked;
  for (auto& p : all_) {
    if (p.settled() || !p.last_epoch) continue;
    auto query = std::make_shared<actors::epoch_query>();
    query->epoch = *p.last_epoch;
    query->known_epoch = p.known_epoch;
    asked.push_back(to_.find_epoch_end(p.topic, p.partition, std::move(query))
                        .then([&p](result<protocol::epoch_end> found) {
                          if (!found)
                            p.failed = found.error();
                          else if (found->epoch == no_epoch)
                            p.failed = error{ec::offset_out_of_range,
                                             "the epoch of the last record read is not known here"};
                          else if (found->epoch < *p.last_epoch || found->end < p.from)
                            p.diverging = *found;
                        }));
  }
  return all_of(std::move(asked));
}

// -- one round ---

kj::Promise<void> fetch_reads::next_round() {
  held_back_ = false;
  --rounds_left_;
  for (auto& p : all_) {
    p.got = {};
    p.read = false;
  }
  return first_wave()
      .then([this] { return first_batch(); })
      .then([this] { return later_waves(); })
      .then([this] { return ask_held_back_for_facts(); })
      .then([this]() -> kj::Promise<void> {
        if (done()) return kj::READY_NOW;
        return wait();
      });
}

// All at once: with room for data where the sum of what they may give is within the bound, else without.
kj::Promise<void> fetch_reads::first_wave() {
  size_t wanted = 0;
  for (auto& p : all_)
    if (!p.settled()) wanted += p.bytes_max;
  bool alone = count_open() == 1;
  bool all_fit = wanted <= bounds_.bytes_max || alone;
  std::vector<kj::Promise<void>> asked;
  for (auto& p : all_)
    if (!p.settled()) asked.push_back(ask(p, all_fit ? std::min(p.bytes_max, bounds_.bytes_max) : 0, alone));
  return all_of(std::move(asked));
}

kj::Promise<void> fetch_reads::first_batch() {
  for (auto& p : all_) {
    if (!p.has_data()) continue;
    if (!p.got.batches.empty()) break;
    return ask(p, std::min(p.bytes_max, bounds_.bytes_max), true);
  }
  return kj::READY_NOW;
}

// Those who have data and were not given room for it, in their order, as long as there is any.
kj::Promise<void> fetch_reads::later_waves() {
  auto used = bytes();
  size_t room = used < bounds_.bytes_max ? bounds_.bytes_max - used : 0;
  std::vector<partition_read*> waiting;
  for (auto& p : all_)
    if (p.has_data() && !p.read && p.bytes_max > 0) waiting.push_back(&p);
  if (room == 0 || waiting.empty() || held_back_) return kj::READY_NOW;
  auto share = std::max(share_min, room / waiting.size());
  std::vector<kj::Promise<void>> asked;
  for (auto* p : waiting) {
    if (room == 0) break;
    auto given = std::min({p->bytes_max, share, room});
    room -= given;
    asked.push_back(ask(*p, given, false));
  }
  return all_of(std::move(asked)).then([this] { return later_waves(); });
}

// A client takes an answer without a high watermark for the end of the partition.
kj::Promise<void> fetch_reads::ask_held_back_for_facts() {
  std::vector<kj::Promise<void>> asked;
  for (auto& p : all_)
    if (p.failed && p.failed->code == ec::overloaded) {
      p.failed.reset();
      asked.push_back(ask(p, 0, false));
    }
  return all_of(std::move(asked));
}

kj::Promise<void> fetch_reads::ask(partition_read& which, size_t bytes_max, bool whole_batch) {
  auto command = std::make_shared<actors::fetch_command>();
  command->from = which.from;
  command->bytes_min = 0;
  command->bytes_max = bytes_max;
  command->whole_batch = whole_batch;
  command->deadline = bounds_.deadline;
  command->known_epoch = which.known_epoch;
  if (bytes_max > 0 || whole_batch) which.read = true;
  return to_.fetch(which.topic, which.partition, std::move(command))
      .then([this, &which, bytes_max](result<actors::fetched> outcome) {
        take(which, bytes_max, std::move(outcome));
      });
}

void fetch_reads::take(partition_read& which, size_t bytes_max, result<actors::fetched> outcome) {
  if (!outcome) {
    if (outcome.error().code == ec::overloaded) held_back_ = true;
    which.failed = outcome.error();
    return;
  }
  which.got = std::move(*outcome);
  auto size = which.got.batches.size();
  if (size == 0) return;
  // Its place in the memory for answers was taken for `bytes_max`, before anybody knew how much it would be.
  if (size > bytes_max) {
    auto more = to_.reserve_reply(size - bytes_max);
    if (more == nullptr) {
      held_back_ = true;
      which.got.batches = {};
      which.got.charge.reset();
      which.got.next = which.from;
      return;
    }
    using both = std::pair<std::shared_ptr<void>, std::shared_ptr<void>>;
    which.got.charge = std::make_shared<both>(std::move(which.got.charge), std::move(more));
  } else if (bytes_max - size > share_min) {
    if (auto exact = to_.reserve_reply(size)) which.got.charge = std::move(exact);
  }
}

// -- between rounds ---

kj::Promise<void> fetch_reads::wait() {
  auto count = all_.size();
  auto missing = bounds_.bytes_min - bytes();
  auto part = missing / count + (missing % count != 0 ? 1 : 0);
  auto share = std::max(share_min, bounds_.bytes_max / count);
  auto bell = std::make_shared<kj::PromiseFulfillerPair<void>>(kj::newPromiseAndFulfiller<void>());
  wakes_.clear();
  parked_.clear();
  for (size_t i = 0; i < count; ++i) {
    auto& p = all_[i];
    if (p.bytes_max == 0) continue; // never gives anything
    auto bytes_max = std::min({p.bytes_max, share, bounds_.bytes_max});
    auto command = std::make_shared<actors::fetch_command>();
    command->from = p.from;
    command->bytes_min = p.got.batches.size() + part;
    command->bytes_max = std::max(bytes_max, command->bytes_min);
    command->whole_batch = count == 1;
    command->deadline = bounds_.deadline;
    command->known_epoch = p.known_epoch;
    p.got.batches = {};
    p.got.charge.reset();
    p.got.next = p.from;
    bytes_max = command->bytes_max;
    parked_.push_back(to_.fetch(p.topic, p.partition, std::move(command))
                          .then([this, i, bytes_max, bell](result<actors::fetched> outcome) {
                            wakes_.push_back({i, bytes_max, std::move(outcome)});
                            bell->fulfiller->fulfill();
                          })
                          .eagerlyEvaluate(nullptr));
  }
  // Who wakes at the same moment comes along.
  auto late = to_.after(bounds_.deadline - to_.time().now()).then([this] { late_ = true; });
  return kj::mv(bell->promise)
      .exclusiveJoin(kj::mv(late))
      .attach(kj::mv(bell)) // also when nobody is there to ring it
      .then([] { return kj::evalLater([] {}); })
      .then([this] { return woken(); });
}

kj::Promise<void> fetch_reads::woken() {
  parked_.clear();
  late_ |= to_.time().now() >= bounds_.deadline;
  size_t found = 0;
  bool failed = false;
  for (auto& w : wakes_) {
    take(all_[w.index], w.bytes_max, std::move(w.outcome));
    failed |= all_[w.index].failed.has_value();
    found += all_[w.index].got.batches.size();
  }
  wakes_.clear();
  if (held_back_) return ask_held_back_for_facts();
  // The usual end: somebody waited for any record at all, and here it is, or there is none.
  if (found >= bounds_.bytes_min || failed || (late_ && bounds_.bytes_min <= 1)) return kj::READY_NOW;
  // Else all that is there now is looked at once more. Whoever wakes early and brings nothing was not waited for (a bound
  // of the partition), and would not be the next time.
  bool early = !late_ && found == 0;
  if (early) rounds_left_ = 1;
  return next_round().then([this, early] { held_back_ |= early && bytes() == 0; });
}

} // namespace pessoa::kafka
