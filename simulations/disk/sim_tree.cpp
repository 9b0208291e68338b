#include "simulations/disk/sim_tree.hpp"

#include <algorithm>
#include <set>

namespace pessoa::sim {

std::vector<std::string> sim_tree::split(const std::string& path) {
  std::vector<std::string> names;
  size_t at = 0;
  while (at < path.size()) {
    auto end = std::min(path.find('/', at), path.size());
    if (end > at && path.compare(at, end - at, ".") != 0) names.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

node_ptr sim_tree::find(const std::string& path) const {
  auto node = root_;
  for (auto& name : split(path)) {
    auto found = node->now.find(name);
    if (found == node->now.end()) return nullptr;
    node = found->second;
  }
  return node;
}

result<std::pair<node_ptr, std::string>> sim_tree::locate(const std::string& path) const {
  auto names = split(path);
  if (names.empty()) return {ec::storage_failed, path + " is the root"};
  auto node = root_;
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    auto found = node->now.find(names[i]);
    if (found == node->now.end()) return {ec::not_found, path + ": no directory " + names[i]};
    node = found->second;
  }
  if (!node->is_directory) return {ec::storage_failed, path + ": not a directory"};
  return std::pair{node, names.back()};
}

node_ptr sim_tree::add(const node_ptr& directory, const std::string& name, bool is_directory) {
  auto node = std::make_shared<sim_node>();
  node->is_directory = is_directory;
  directory->now[name] = node;
  pending_.push_back({{directory, name, node}});
  return node;
}

void sim_tree::unlink(const node_ptr& directory, const std::string& name) {
  auto found = directory->now.find(name);
  PESSOA_ASSERT(found != directory->now.end(), name);
  found->second->linked = false;
  directory->now.erase(found);
  pending_.push_back({{directory, name, nullptr}});
}

void sim_tree::move(const node_ptr& from_directory, const std::string& from, const node_ptr& to_directory,
                    const std::string& to) {
  auto found = from_directory->now.find(from);
  PESSOA_ASSERT(found != from_directory->now.end(), from);
  auto node = found->second;
  auto replaced = to_directory->now.find(to);
  if (replaced != to_directory->now.end()) {
    if (replaced->second == node) return;
    replaced->second->linked = false;
  }
  from_directory->now.erase(found);
  to_directory->now[to] = node;
  pending_.push_back({{from_directory, from, nullptr}, {to_directory, to, node}});
}

void sim_tree::settle(const operation& op) {
  for (auto& change : op) {
    if (change.target) {
      change.directory->durable[change.name] = change.target;
    } else {
      change.directory->durable.erase(change.name);
    }
  }
}

void sim_tree::sync_directory(const node_ptr& directory) {
  if (!strict_) {
    for (auto& op : pending_)
      settle(op);
    pending_.clear();
    return;
  }
  // All operations on this directory, and the earlier ones of a directory that a rename ties to it.
  std::set<const sim_node*> tied{directory.get()};
  std::vector<bool> chosen(pending_.size());
  for (size_t i = pending_.size(); i-- > 0;) {
    auto& op = pending_[i];
    chosen[i] = std::any_of(op.begin(), op.end(),
                            [&](auto& change) { return tied.count(change.directory.get()) > 0; });
    if (chosen[i])
      for (auto& change : op)
        tied.insert(change.directory.get());
  }
  std::vector<operation> left;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (chosen[i]) {
      settle(pending_[i]);
    } else {
      left.push_back(std::move(pending_[i]));
    }
  }
  pending_ = std::move(left);
}

void sim_tree::sync_file(const node_ptr& node) {
  node->file.sync();
  if (!strict_) sync_directory(root_); // the journal commits what came before
}

bool sim_tree::lose_power(random_source& random, bool keep_everything) {
  bool lost = false;
  if (!pending_.empty()) {
    auto kind = keep_everything ? 0 : random.below(4); // 0: all names kept, 1: none
    auto keep = kind == 0 ? pending_.size() : kind == 1 ? 0 : random.below(pending_.size() + 1);
    bool any_subset = strict_ && kind == 3;
    std::set<std::pair<const sim_node*, std::string>> broken;
    for (size_t i = 0; i < pending_.size(); ++i) {
      auto& op = pending_[i];
      bool kept = any_subset ? random.below(2) == 0 : i < keep;
      for (auto& change : op)
        kept = kept && broken.count({change.directory.get(), change.name}) == 0;
      if (kept) {
        settle(op);
      } else {
        lost = true;
        for (auto& change : op)
          broken.emplace(change.directory.get(), change.name);
      }
    }
    pending_.clear();
  }
  return lose_data(root_, random, keep_everything) || lost;
}

// In the order of names, so that a seed draws the same fate twice.
bool sim_tree::lose_data(const node_ptr& node, random_source& random, bool keep_everything) {
  node->open_handles = 0;
  node->linked = true;
  if (!node->is_directory)
    return node->file.has_pending() && node->file.lose_power(random, keep_everything, stale_sectors_);
  node->now = node->durable;
  bool lost = false;
  for (auto& [name, child] : node->now)
    lost = lose_data(child, random, keep_everything) || lost;
  return lost;
}

void sim_tree::forget_handles() {
  std::vector<node_ptr> todo{root_};
  while (!todo.empty()) {
    auto node = todo.back();
    todo.pop_back();
    node->open_handles = 0;
    for (auto& [name, child] : node->now)
      todo.push_back(child);
  }
}

bool sim_tree::is_durable_name(const std::string& path) const {
  auto node = root_;
  for (auto& name : split(path)) {
    auto found = node->now.find(name);
    if (found == node->now.end()) return false;
    auto settled = node->durable.find(name);
    if (settled == node->durable.end() || settled->second != found->second) return false;
    for (auto& op : pending_)
      for (auto& change : op)
        if (change.directory == node && change.name == name) return false;
    node = found->second;
  }
  return true;
}

uint64_t sim_tree::bytes_of(const sim_node& node) {
  uint64_t total = node.file.size();
  for (auto& [name, child] : node.now)
    total += bytes_of(*child);
  return total;
}

} // namespace pessoa::sim
