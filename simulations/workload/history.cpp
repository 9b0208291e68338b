#include "simulations/workload/history.hpp"

#include "schema/assert.hpp"

namespace pessoa::sim {

namespace {

std::string text(const place& at, int64_t offset) {
  return at.topic + "[" + std::to_string(at.partition) + "] offset " + std::to_string(offset);
}

} // namespace

void history::sent(const std::string& name, const place& to, bool idempotent) {
  auto [at, fresh] = records_.try_emplace(name, record{to, idempotent, state::pending, std::nullopt});
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
  if (offset >= 0) lies(name, what, at, offset, "was acknowledged at");
}

void history::failed(const std::string& name, const client::error& why) {
  auto& what = records_.at(name);
  if (what.is != state::pending) return world_.fail("one_answer", name + " was answered twice");
  --pending_;
  bool unknown = why.in_doubt() || why.code == ec::timed_out;
  ++(unknown ? unknown_ : failed_);
  what.is = unknown ? state::unknown : state::refused;
  world_.tracing().mix(static_cast<uint64_t>(why.code));
  if (!unknown && what.at)
    world_.fail("refused_is_absent", name + " was refused (" + client::to_string(why) + ") and lies at "
                                         + text(what.to, *what.at));
}

void history::lies(const std::string& name, record& what, const place& at, int64_t offset, const char* who) {
  if (at.topic != what.to.topic || (what.to.partition >= 0 && at.partition != what.to.partition))
    return world_.fail("nothing_invented", name + " " + who + " " + text(at, offset) + ", it was sent to "
                                               + what.to.topic + "[" + std::to_string(what.to.partition)
                                               + "]");
  if (what.is == state::refused && dropped_.count(at.topic) == 0)
    return world_.fail("refused_is_absent", name + " was refused, and " + who + " " + text(at, offset));
  auto& known = partitions_[at].known;
  auto [there, fresh] = known.try_emplace(offset, name);
  if (!fresh && there->second != name)
    return world_.fail("offsets_hold",
                       text(at, offset) + " holds " + there->second + ", and " + name + " " + who + " it");
  if (what.at && (*what.at != offset || what.to.partition != at.partition) && what.idempotent)
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

void history::removed(const place& at, int64_t below) {
  auto& p = partitions_[at];
  p.removed_below = std::max(p.removed_below, below);
}

void history::dropped(const std::string& topic) { dropped_.insert(topic); }

void history::read_whole(const place& at, int64_t start, int64_t end) {
  if (dropped_.count(at.topic) > 0) return;
  auto& p = partitions_[at];
  if (start > p.removed_below)
    return world_.fail("acknowledged_is_there", at.topic + "[" + std::to_string(at.partition) + "] begins at "
                                                    + std::to_string(start) + ", only what is below "
                                                    + std::to_string(p.removed_below) + " was removed");
  for (auto& [offset, name] : p.known) {
    if (offset < start) continue;
    if (p.seen.count(offset) == 0)
      return world_.fail("acknowledged_is_there", name + " was acknowledged or read at " + text(at, offset)
                                                      + " and is not there; the partition holds ["
                                                      + std::to_string(start) + ", " + std::to_string(end)
                                                      + ")");
  }
  for (auto offset = start; offset < end; ++offset)
    if (p.seen.count(offset) == 0)
      return world_.fail("no_gap",
                         text(at, offset) + " holds nothing, the partition ends at " + std::to_string(end));
}

} // namespace pessoa::sim
