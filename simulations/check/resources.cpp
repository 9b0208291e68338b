#include "simulations/check/resources.hpp"

namespace pessoa::sim {

namespace {

// Far above what honest clients cause, far below what would hurt: these are alarms for what grows without an end.
constexpr size_t messages_max = 5000; // for one actor
constexpr size_t timers_max = 1000;
// Beside those of logs: lock, journal files, the metadata log's, snapshots and indexes while they are written.
constexpr size_t other_files_max = 24;
constexpr size_t files_per_log_max = 16;

size_t partitions_on(const sim_disk& disk, const std::string& data) {
  return disk.names_in(data + "/topics").size();
}

// Each path once, with how often it is open.
std::string named(const std::multiset<std::string>& files) {
  std::string text;
  for (auto at = files.begin(); at != files.end(); at = files.upper_bound(*at)) {
    auto times = files.count(*at);
    text += (text.empty() ? "" : ", ") + *at + (times > 1 ? " (" + std::to_string(times) + " times)" : "");
  }
  return text;
}

} // namespace

resources::resources(world& of, node_place& node) : world_(of), node_(node) {
  of.time().after(second, [this] { look(); });
}

size_t resources::replicas() const { return partitions_on(node_.disk(), node_.settings().data); }

void resources::look() {
  world_.time().after(second, [this] { look(); });
  auto* life = node_.life();
  if (life == nullptr) return;
  if (auto waiting = life->longest_mailbox(); waiting > messages_max)
    return world_.fail(bounded, std::to_string(waiting) + " messages wait for one actor");
  if (life->timers() > timers_max)
    return world_.fail(bounded, std::to_string(life->timers()) + " timers are set");
  auto files_max = other_files_max + files_per_log_max * replicas() + node_.settings().io_threads;
  if (auto& files = node_.disk().open_files(); files.size() > files_max)
    world_.fail(bounded, std::to_string(files.size()) + " files are open, with " + std::to_string(replicas())
                             + " logs: " + named(files));
}

void resources::watch_rest() {
  auto upkeep = node_.settings().upkeep_interval.count();
  // A node that looks after itself once a day would have to be watched for days.
  if (upkeep > 60 * second) return;
  world_.run_until(world_.now() + 20 * second + 3 * upkeep);
  if (world_.failed() || !node_.ready()) return;
  auto before = world_.steps();
  auto span = 10 * second + 2 * upkeep;
  world_.run_until(world_.now() + span);
  if (world_.failed()) return;
  auto took = world_.steps() - before;
  // One round of upkeep: a message to each replica and its partition, a job that begins and ends, its answer.
  auto rounds = static_cast<uint64_t>(span / upkeep) + 1;
  auto allowed = 50 + rounds * (10 + 10 * replicas());
  if (took > allowed)
    return world_.fail(rest, "a node without clients took " + std::to_string(took) + " steps in "
                                 + std::to_string(span / second) + " seconds, upkeep explains "
                                 + std::to_string(allowed));
  auto files = node_.disk().open_files();
  const auto logs = node_.settings().data + "/topics/";
  std::erase_if(files, [&](auto& path) { return !path.starts_with(logs); });
  if (!files.empty()) world_.fail(rest, "a node without clients holds files of logs open: " + named(files));
}

} // namespace pessoa::sim
