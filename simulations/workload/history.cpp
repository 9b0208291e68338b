#include "simulations/workload/history.hpp"

#include "schema/assert.hpp"

namespace pessoa::sim {

namespace {

std::string text(const place& at, int64_t offset) {
  return at.topic + "[" + std::to_string(at.partition) + "] offset " + std::to_string(offset);
}

// A correct client is never told these.
bool is_accusation(ec code) {
  return code == ec::out_of_order_sequence || code == ec::invalid_producer_epoch || code == ec::invalid_record
         || code == ec::internal || code == ec::corrupt_message || code == ec::malformed_message;
}

// "writer1-17-aaa" was sent by "writer1".
std::string_view writer_of(std::string_view name) { return name.substr(0, name.find('-')); }

} // namespace

void history::sent(const std::string& name, const place& to, bool idempotent, bool patient) {
  auto [at, fresh] = records_.try_emplace(
      name, record{to, idempotent, online_ != nullptr && patient, ++sent_, state::pending, std::nullopt});
  PESSOA_ASSERT(fresh, name);
  ++pending_;
}

void history::acknowledged(const std::string& name, const place& at, int64_t offset) {
  auto& what = records_.at(name);
  if (what.is != state::pending) return world_.fail("one_answer", name + " was answered twice");
  --pending_;
  ++acknowledged_;
  what.is = state::acknowledged;
  world_.tracing().mix(static_cast<uint64_t>(offset));
  if (offset < 0) return world_.fail("acknowledged_is_there", name + " was acknowledged without an offset");
  auto& end = partitions_[at].acknowledged_end;
  end = std::max(end, offset + 1);
  lies(name, what, at, offset, "was acknowledged at");
}

void history::failed(const std::string& name, const client::error& why) {
  auto& what = records_.at(name);
  if (what.is != state::pending) return world_.fail("one_answer", name + " was answered twice");
  // What the disk took from a log its producers seem to have left out.
  bool excused = why.code == ec::out_of_order_sequence && has_damage(what.to.topic);
  if (is_accusation(why.code) && !excused)
    return world_.fail("correct_clients_go_on", name + " failed: " + client::to_string(why));
  // A clock that jumped stays wrong in calm; and a batch that had been made before an administrator lowered what its topic takes
  // is refused as a whole (docs/status.md).
  bool refused_rightly = why.code == ec::invalid_timestamp || why.code == ec::message_too_large
                         || (why.code == ec::unknown_result && resized_.count(what.to.topic) > 0);
  bool owed = what.owed && what.idempotent && !any_damaged() && !refused_rightly;
  if (owed && dropped_.count(what.to.topic) == 0 && online_())
    return world_.fail("calm_is_served", name + " was sent in calm and failed: " + client::to_string(why));
  ended(what, why.in_doubt(), why);
  if (what.is == state::refused && what.at)
    world_.fail("refused_is_absent", name + " was refused (" + client::to_string(why) + ") and lies at "
                                         + text(what.to, *what.at));
}

void history::taken(const std::string& name) {
  asked_.erase({std::string{writer_of(name)}, records_.at(name).to.topic});
}

void history::turned_away(const std::string& name, const client::error& why) {
  auto& what = records_.at(name);
  ended(what, false, why);
  // Who is told that there is no topic may have asked when its first record came, and not later.
  std::pair asked{std::string{writer_of(name)}, what.to.topic};
  if (why.code == ec::overloaded) return static_cast<void>(asked_.try_emplace(asked, what.number));
  auto since = asked_.try_emplace(asked, what.number).first->second;
  asked_.erase(asked);
  auto there = standing_.find(what.to.topic);
  if (why.code == ec::unknown_topic && there != standing_.end() && there->second < since)
    world_.fail("what_stands_is_found",
                name + " was refused (" + client::to_string(why)
                    + "), and the topic had been created before anybody asked for it");
}

void history::ended(record& what, bool unknown, const client::error& why) {
  --pending_;
  ++(unknown ? unknown_ : failed_);
  what.is = unknown ? state::unknown : state::refused;
  world_.tracing().mix(static_cast<uint64_t>(why.code));
}

void history::id_given(int64_t id) {
  world_.tracing().mix(static_cast<uint64_t>(id));
  if (!producer_ids_.insert(id).second)
    world_.fail("producer_ids_are_new", "producer id " + std::to_string(id) + " was given twice");
}

void history::lies(const std::string& name, record& what, const place& at, int64_t offset, const char* who) {
  if (at.topic != what.to.topic || (what.to.partition >= 0 && at.partition != what.to.partition))
    return world_.fail("nothing_invented", name + " " + who + " " + text(at, offset) + ", it was sent to "
                                               + what.to.topic + "[" + std::to_string(what.to.partition)
                                               + "]");
  if (what.is == state::refused)
    return world_.fail("refused_is_absent", name + " was refused, and " + who + " " + text(at, offset));
  if (dropped_.count(at.topic) > 0) return; // offsets begin anew each time
  if (is_damaged(at)) return;               // what was lost may have made room
  auto& known = partitions_[at].known;
  auto [there, fresh] = known.try_emplace(offset, name);
  if (!fresh && there->second != name)
    return world_.fail("offsets_hold",
                       text(at, offset) + " holds " + there->second + ", and " + name + " " + who + " it");
  if (what.at && (*what.at != offset || what.to.partition != at.partition) && what.idempotent && !forgetful_)
    return world_.fail("stored_once", name + " lies at offset " + std::to_string(*what.at) + ", and " + who
                                          + " " + text(at, offset));
  if (!what.at) {
    what.at = offset;
    what.to.partition = at.partition;
  }
}

void history::read(const place& at, int64_t offset, const std::string& name) {
  ++reads_;
  world_.tracing().mix(static_cast<uint64_t>(offset));
  auto found = records_.find(name);
  if (found == records_.end())
    return world_.fail("nothing_invented",
                       text(at, offset) + " holds a record that nobody sent: " + name.substr(0, 60));
  lies(name, found->second, at, offset, "was read at");
  partitions_[at].seen.insert(offset);
}

void history::seen(const partition_key& key, int64_t offset) {
  if (!shown_ || is_damaged(to_string(key)) || offset < shown_(key).value()) return;
  world_.fail("reads_are_durable", to_string(key) + ": offset " + std::to_string(offset)
                                       + " was read, and no high watermark was above it");
}

// -- what may go ---

const history::partition* history::find(const place& at) const {
  auto found = partitions_.find(at);
  return found == partitions_.end() ? nullptr : &found->second;
}

void history::removed(const place& at, int64_t below) {
  auto& p = partitions_[at];
  p.removed_below = std::max(p.removed_below, below);
}

void history::start_told(const place& at, int64_t start, int64_t before) {
  auto& p = partitions_[at];
  if (is_damaged(at) || dropped_.count(at.topic) > 0) return;
  if (start < before)
    return world_.fail("starts_stay", text(at, start) + " is told to be the start, and it had begun at "
                                          + std::to_string(before));
  if (start > p.removed_below && shrinking_.count(at.topic) == 0)
    return world_.fail("acknowledged_is_there", text(at, start)
                                                    + " is told to be the start, only what is below "
                                                    + std::to_string(p.removed_below) + " was removed");
  p.start = std::max(p.start, start);
}

bool history::is_damaged(const place& at) const {
  if (all_damaged_ || damaged_.empty()) return all_damaged_;
  auto id = topic_ids_.find(at.topic);
  return id != topic_ids_.end() && is_damaged(id->second + "-" + std::to_string(at.partition));
}

bool history::has_damage(const std::string& topic) const {
  auto id = topic_ids_.find(topic);
  if (all_damaged_ || id == topic_ids_.end()) return all_damaged_;
  auto first = damaged_.lower_bound(id->second + "-");
  return first != damaged_.end() && first->first.starts_with(id->second + "-");
}

bool history::may_begin_at(const place& at, int64_t offset) const {
  if (dropped_.count(at.topic) > 0 || shrinking_.count(at.topic) > 0) return true;
  auto* p = find(at);
  return p != nullptr && offset <= p->removed_below;
}

int64_t history::removed_below(const place& at) const {
  auto* p = find(at);
  return p == nullptr ? 0 : p->removed_below;
}
int64_t history::known_end(const place& at) const {
  auto* p = find(at);
  return p == nullptr || p->known.empty() ? 0 : p->known.rbegin()->first + 1;
}
int64_t history::acknowledged_end(const place& at) const {
  auto* p = find(at);
  return p == nullptr ? 0 : p->acknowledged_end;
}
int64_t history::start_of(const place& at) const {
  auto* p = find(at);
  return p == nullptr ? 0 : p->start;
}

// -- the end ---

void history::read_whole(const place& at, int64_t start, int64_t end) {
  if (dropped_.count(at.topic) > 0 || is_damaged(at)) return;
  auto& p = partitions_[at];
  if (start != 0 && !may_begin_at(at, start))
    return world_.fail("acknowledged_is_there", at.topic + "[" + std::to_string(at.partition) + "] begins at "
                                                    + std::to_string(start) + ", only what is below "
                                                    + std::to_string(p.removed_below) + " was removed");
  // Since it was looked up the node may have removed more.
  if (shrinking_.count(at.topic) > 0) start = p.seen.empty() ? end : std::max(start, *p.seen.begin());
  for (auto& [offset, name] : p.known) {
    if (offset < start) continue;
    if (p.seen.count(offset) == 0)
      return world_.fail("acknowledged_is_there", name + " was acknowledged or read at " + text(at, offset)
                                                      + " and is not there; the partition holds ["
                                                      + std::to_string(start) + ", " + std::to_string(end)
                                                      + ")");
  }
  if (!forgetful_) check_order(at, p, start);
  for (auto offset = start; offset < end; ++offset)
    if (p.seen.count(offset) == 0)
      return world_.fail("no_gap",
                         text(at, offset) + " holds nothing, the partition ends at " + std::to_string(end));
}

void history::check_order(const place& at, const partition& p, int64_t start) {
  std::map<std::string_view, std::pair<uint64_t, std::string_view>> last; // of each writer
  for (auto& [offset, name] : p.known) {
    auto& what = records_.at(name);
    if (offset < start || !what.idempotent || what.is != state::acknowledged) continue;
    auto& before = last[writer_of(name)];
    if (what.number < before.first)
      return world_.fail("order_is_kept", text(at, offset) + " holds " + name + ", behind "
                                              + std::string{before.second} + ", which was sent later");
    before = {what.number, name};
  }
}

} // namespace pessoa::sim
