#include "simulations/workload/administrator.hpp"

#include "schema/topic_config.hpp"

#include <algorithm>

namespace pessoa::sim {

using client::result;

administrator::administrator(client_process& in, history& past, administrator_options options)
    : world_(in.of()), in_(in), past_(past), options_(std::move(options)) {
  for (auto& name : options_.kept)
    settle(name, presence::present, options_.partitions);
  for (auto& name : options_.churning) {
    topics_[name] = {};
    past_.comes_and_goes(name);
  }
}

const std::string& administrator::any(const std::vector<std::string>& of) {
  return of[random().below(of.size())];
}

void administrator::start() {
  begun_ = true;
  next();
  if (options_.resizes) resize();
  if (options_.removes) remove_on();
}

void administrator::next() {
  if (stopped_) return;
  in_.after(around(random(), options_.pause_mean), [this] {
    if (stopped_) return;
    act();
    next();
  });
}

void administrator::act() {
  auto what = random().below(100);
  if (what < 30) return remove_records(any(options_.kept));
  if (what < 50) return describe(any(options_.kept));
  if (what < 65) return reconfigure(any(options_.kept));
  if (what < 70) return grow(any(options_.kept));
  if (options_.churning.empty()) return;
  change_name(any(options_.churning));
}

void administrator::change_name(const std::string& name) {
  auto& topic = topics_[name];
  if (topic.busy) return; // of two changes at once nobody could say which came last
  topic.busy = true;
  if (topic.is == presence::absent || (topic.is == presence::unknown && random().below(2) == 0))
    return create(name);
  drop(name);
}

void administrator::change_names() {
  if (stopped_ || !begun_) return;
  in_.loop().enter([this] {
    for (auto& name : options_.churning)
      change_name(name);
  });
}

void administrator::settle(const std::string& name, presence is, int32_t partitions) {
  auto& topic = topics_[name];
  topic.busy = false;
  topic.doubted = topic.doubted || is == presence::unknown;
  topic.is = topic.doubted ? presence::unknown : is;
  topic.partitions = partitions;
  if (topic.is == presence::present) past_.stands(name);
}

// -- changes ---

void administrator::create(const std::string& name) {
  client::new_topic wanted;
  wanted.name = name;
  wanted.partitions = static_cast<int32_t>(between(random(), 1, options_.partitions));
  ++open_;
  in_.run(client::create_topic(*in_.core(), wanted).then([this, wanted](result<client::topic_info> made) {
    --open_;
    bool there = made.ok() || made.error().code == ec::topic_exists;
    auto known = there ? presence::present : made.error().in_doubt() ? presence::unknown : presence::absent;
    settle(wanted.name, known, made.ok() ? *wanted.partitions : 1);
  }));
}

void administrator::drop(const std::string& name) {
  past_.falls(name);
  ++open_;
  in_.run(client::delete_topic(*in_.core(), name).then([this, name](result<int64_t> done) {
    --open_;
    bool gone = done.ok() || done.error().code == ec::unknown_topic;
    auto known = gone ? presence::absent : done.error().in_doubt() ? presence::unknown : topics_[name].is;
    settle(name, known, topics_[name].partitions);
  }));
}

void administrator::grow(const std::string& name) {
  auto& topic = topics_[name];
  if (topic.partitions >= 2 * options_.partitions) return;
  client::topic_change change;
  change.name = name;
  change.partitions = topic.partitions + 1;
  ++open_;
  in_.run(client::alter_topic(*in_.core(), change).then([this, change](result<client::topic_info> done) {
    --open_;
    auto& partitions = topics_[change.name].partitions;
    if (done.ok()) partitions = std::max(partitions, *change.partitions);
    // It may have been done, and then the next change is refused for being none.
    else if (done.error().code == ec::invalid_partitions)
      partitions = std::max(partitions, *change.partitions);
  }));
}

void administrator::reconfigure(const std::string& name) {
  auto& keys = topic_config_keys();
  auto& key = keys[random().below(keys.size())];
  if (key.tiny.empty()) return;
  if (key.name.starts_with("retention.")) {
    // From now on records may go by themselves; half of the topics are to keep what they have.
    if (name != options_.kept.back() || options_.kept.size() < 2) return;
    past_.may_shrink(name);
  }
  auto drawn = random().below(3);
  set(name, std::string{key.name},
      std::string{drawn == 0   ? key.tiny
                  : drawn == 1 ? key.huge
                               : std::string_view{}});
}

// Batches that were made for a larger limit meet a smaller one, and their repetitions perhaps a larger one again.
void administrator::resize() {
  in_.after(around(random(), options_.resize_mean), [this] {
    if (stopped_) return;
    bool small = random().below(2) == 0; // before the other draw: the order of arguments is the compiler's
    set(any(options_.kept), "max.message.bytes", small ? "1024" : "");
    resize();
  });
}

// An empty value is the default.
void administrator::set(const std::string& name, const std::string& key, const std::string& value) {
  client::topic_change change;
  change.name = name;
  change.config[key] = value;
  if (key == "max.message.bytes") past_.resized(name);
  auto& wish = topics_[name].config[key];
  wish.value = std::nullopt;
  auto number = ++wish.asked;
  ++wish.open;
  ++open_;
  in_.run(client::alter_topic(*in_.core(), change)
              .then([this, name, key, value, number](result<client::topic_info> done) {
                --open_;
                auto& wish = topics_[name].config[key];
                wish.in_doubt = wish.in_doubt || (!done.ok() && done.error().in_doubt());
                // One that was asked before and is still open may be done after this one.
                bool alone = --wish.open == 0 && !wish.in_doubt && wish.asked == number;
                if (alone && done.ok() && !value.empty()) wish.value = value;
              }));
}

void administrator::remove_records(const std::string& name) {
  auto partition = static_cast<int32_t>(random().below(static_cast<uint64_t>(topics_[name].partitions)));
  place at{name, partition};
  auto end = past_.known_end(at);
  // Now and then at a place that is not there, mostly near the start, so that others have something to read.
  auto before = random().below(8) == 0 ? end + 1'000'000 : between(random(), 0, end / 2);
  if (before <= end) past_.removed(at, before);
  auto begun = past_.start_of(at);
  ++open_;
  in_.run(client::delete_records(*in_.core(), {name, partition}, before)
              .then([this, at, before, end, begun](result<int64_t> start) {
                --open_;
                if (!start.ok()) return;
                if (before > end) return fail(at.topic + ": records above the end were removed");
                if (*start < before)
                  return fail(at.topic + ": records below " + std::to_string(before)
                              + " were removed, and the log begins at " + std::to_string(*start));
                past_.start_told(at, *start, begun);
              }));
}

void administrator::remove_on() {
  in_.after(around(random(), options_.remove_mean), [this] {
    if (stopped_) return;
    remove_records(any(options_.kept));
    remove_on();
  });
}

// -- questions ---

void administrator::describe(const std::string& name) {
  // What was acknowledged before the question is below the high watermark of the answer.
  std::map<int32_t, int64_t> ends, starts;
  for (int32_t i = 0; i < topics_[name].partitions; ++i) {
    ends[i] = past_.acknowledged_end({name, i});
    starts[i] = past_.start_of({name, i});
  }
  ++open_;
  in_.run(client::describe_topic(*in_.core(), name)
              .then([this, name, ends, starts](result<client::topic_description> found) {
                --open_;
                compare(name, found);
                if (!found.ok()) return;
                for (auto& one : found->partitions) {
                  place at{name, one.partition.index};
                  if (one.error || past_.is_damaged(at)) continue;
                  auto text = name + "[" + std::to_string(at.partition) + "]";
                  if (one.log_start > one.high_watermark || one.high_watermark > one.log_end)
                    fail(text + " begins at " + std::to_string(one.log_start) + ", has the high watermark "
                         + std::to_string(one.high_watermark) + " and ends at "
                         + std::to_string(one.log_end));
                  auto end = ends.find(at.partition);
                  if (end == ends.end()) continue;
                  if (one.high_watermark < end->second)
                    fail(text + " has the high watermark " + std::to_string(one.high_watermark)
                         + ", and what is below " + std::to_string(end->second) + " was acknowledged");
                  past_.start_told(at, one.log_start, starts.at(at.partition));
                }
              }));
}

// -- the end ---

void administrator::look(client_process& in, std::function<void()> done) {
  std::vector<std::string> names;
  for (auto& entry : topics_)
    names.push_back(entry.first);
  look_at(in, std::move(names), std::move(done));
}

void administrator::look_at(client_process& in, std::vector<std::string> names, std::function<void()> done) {
  if (names.empty()) return done();
  auto name = names.back();
  in.run(client::describe_topic(*in.core(), name)
             .then([this, &in, names, done](result<client::topic_description> found) mutable {
               compare(names.back(), found);
               names.pop_back();
               look_at(in, std::move(names), std::move(done));
             }));
}

void administrator::compare(const std::string& name, const result<client::topic_description>& found) {
  auto& topic = topics_[name];
  if (!found.ok()) {
    if (found.error().code == ec::unknown_topic && topic.is == presence::present && !topic.busy)
      fail(name + " was created, and is not there");
    return;
  }
  if (topic.is == presence::absent && !options_.come_by_writing && stopped_)
    fail(name + " was deleted, and is there");
  auto count = static_cast<int32_t>(found->partitions.size());
  if (topic.is == presence::present && count < topic.partitions && stopped_)
    fail(name + " has " + std::to_string(count) + " partitions, and was given "
         + std::to_string(topic.partitions));
  for (auto& [key, wish] : topic.config) {
    auto is = found->topic.config.find(key);
    if (stopped_ && wish.value && (is == found->topic.config.end() || is->second != *wish.value))
      fail(name + ": " + key + " was set to " + *wish.value + ", and is "
           + (is == found->topic.config.end() ? "not told" : is->second));
  }
}

} // namespace pessoa::sim
