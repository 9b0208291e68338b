#include "simulations/workload/reader.hpp"

#include <algorithm>

namespace pessoa::sim {

using client::topic_partition;

reader::reader(client_process& in, history& past, reader_options options)
    : in_(in), past_(past), options_(std::move(options)) {}

reader::~reader() {
  in_.loop().enter([this] {
    if (!consumer_) return;
    consumer_->end({ec::shutting_down, "the workload is over"});
    in_.core()->remove(consumer_.get());
    consumer_.reset();
  });
}

// -- what to read ---

void reader::assign(std::function<void()> then) {
  if (!consumer_) {
    consumer_ = std::make_shared<client::consumer_engine>(in_.core(), in_.config());
    in_.core()->add(consumer_);
  }
  assign_from(0, std::make_shared<std::vector<std::pair<topic_partition, topic_id>>>(), std::move(then));
}

// Asks for the topics' metadata one after the other, each until it is there.
void reader::assign_from(size_t index,
                         std::shared_ptr<std::vector<std::pair<topic_partition, topic_id>>> found,
                         std::function<void()> then) {
  if (stopped_) return;
  if (index == options_.topics.size()) {
    assigned_ = *found;
    consumer_->assign(assigned_);
    return then();
  }
  auto name = options_.topics[index];
  in_.run(in_.core()->topic(name).then([this, index, name, found,
                                        then](client::result<client::known_topic> topic) {
    if (!topic.ok()) {
      if (past_.is_loose(name)) return assign_from(index + 1, found, then);
      return in_.after(200 * millisecond, [this, index, found, then] { assign_from(index, found, then); });
    }
    in_.core()->follow(name);
    past_.known_as(name, to_string(topic->id));
    for (auto& partition : topic->info.partitions) {
      // Of a damaged one nobody knows how much is to be read.
      if (whole_ && past_.is_damaged(place{name, partition.index})) continue;
      found->emplace_back(topic_partition{name, partition.index}, topic->id);
    }
    assign_from(index + 1, found, then);
  }));
}

// -- reading ---

void reader::start() {
  next_.clear();
  assign([this] {
    for (auto& [at, id] : assigned_)
      (void)consumer_->seek(at, client::at_start{});
    look();
  });
}

void reader::look() {
  if (stopped_) return;
  auto& random = in_.of().random().workload;
  in_.after(around(random, options_.pause_mean), [this] {
    take();
    if (in_.of().random().workload.below(1000) < options_.begin_per_mille) return start();
    if (in_.of().random().workload.below(1000) < options_.rewind_per_mille) rewind();
    look();
  });
}

// Often into the middle of a batch.
void reader::rewind() {
  auto& random = in_.of().random().workload;
  bool to_start = chance(random, 50);
  for (auto& [at, id] : assigned_) {
    auto known = next_.find({at.topic, at.partition});
    if (known == next_.end()) continue;
    if (to_start) {
      next_.erase(known);
      (void)consumer_->seek(at, client::at_start{});
    } else {
      auto start = std::min(past_.removed_below(known->first), known->second);
      known->second = between(random, start, known->second);
      (void)consumer_->seek(at, known->second);
    }
  }
}

void reader::take() {
  auto got = consumer_->take();
  if (!got.ok()) {
    auto& why = got.error();
    // What is deleted on purpose, and what is over, is no failure; wrong bytes are, and so is what cannot be.
    if (why.code == ec::corrupt_message || why.code == ec::invalid_record
        || why.code == ec::malformed_message)
      in_.of().fail("no_wrong_bytes", in_.name() + " was given " + client::to_string(why));
    return;
  }
  for (auto& record : *got) {
    place at{std::string{record.topic}, record.partition};
    auto [known, fresh] = next_.try_emplace(at, record.offset);
    if (past_.is_loose(at.topic) || past_.is_damaged(at)) known->second = record.offset;
    if (record.offset < known->second)
      return in_.of().fail("reads_in_order", in_.name() + " read offset " + std::to_string(record.offset)
                                                 + " of " + at.topic + " after "
                                                 + std::to_string(known->second - 1));
    if (record.offset > known->second && !past_.may_begin_at(at, record.offset))
      return in_.of().fail("no_gap", in_.name() + " read offset " + std::to_string(record.offset) + " of "
                                         + at.topic + "[" + std::to_string(at.partition) + "] after "
                                         + std::to_string(known->second - 1));
    if (whole_ && record.offset > known->second) bounds_[at].first = record.offset; // removed meanwhile
    known->second = record.offset + 1;
    past_.read(at, record.offset, std::string{record.value.value_or("")});
    for (auto& [assigned, id] : assigned_)
      if (assigned.topic == at.topic && assigned.partition == at.partition)
        past_.seen({id, partition_id{at.partition}}, record.offset);
  }
}

// -- everything, once ---

void reader::read_everything(std::function<void()> done) {
  whole_ = true;
  assign([this, done = std::move(done)] {
    for (auto& [at, id] : assigned_)
      past_.begin_whole({at.topic, at.partition});
    auto left = std::make_shared<size_t>(assigned_.size());
    auto begin = [this, done] {
      for (auto& [at, id] : assigned_)
        (void)consumer_->seek(at, client::at_start{});
      check_whole(done);
    };
    if (assigned_.empty()) return begin();
    for (auto& entry : assigned_) {
      auto at = entry.first;
      auto find = [this, at](client::place_to_find where) {
        return in_.core()->ask_leader<client::place_found>(
            "finding an offset", client::link_role::consume, at,
            [at, where](client::link& to, const client::known_topic& topic) {
              return client::offset_call(to, topic.id, at.partition, where);
            });
      };
      auto begun = past_.start_of({at.topic, at.partition});
      in_.run(find(client::at_start{})
                  .then([this, at, find, left, begin, begun](client::result<client::place_found> start) {
                    return find(client::at_end{})
                        .then([this, at, start, left, begin, begun](client::result<client::place_found> end) {
                          if (!start.ok() || !end.ok() || !start->offset || !end->offset)
                            return in_.of().fail(
                                "calm_is_served",
                                "the offsets of " + at.topic + " cannot be found: "
                                    + client::to_string(start.ok() ? end.error() : start.error()));
                          past_.start_told({at.topic, at.partition}, *start->offset, begun);
                          bounds_[{at.topic, at.partition}] = {*start->offset, *end->offset};
                          if (--*left == 0) begin();
                        });
                  }));
    }
  });
}

bool reader::has_read(const place& at, std::pair<int64_t, int64_t>& bounds) {
  auto& [start, end] = bounds;
  auto found = next_.find(at);
  if (start >= end || (found != next_.end() && found->second >= end)) return true;
  // What was left has been removed meanwhile, as it may: it goes on at the new start.
  auto stands = consumer_->position({at.topic, at.partition});
  bool removed = stands.ok() && *stands && **stands >= end && past_.may_begin_at(at, **stands);
  if (removed) start = end;
  return removed;
}

void reader::check_whole(const std::function<void()>& done) {
  take();
  bool all = true;
  for (auto& [at, bounds] : bounds_)
    all = has_read(at, bounds) && all;
  if (!all) return in_.after(10 * millisecond, [this, done] { check_whole(done); });
  for (auto& [at, range] : bounds_)
    past_.read_whole(at, range.first, range.second);
  done();
}

} // namespace pessoa::sim
