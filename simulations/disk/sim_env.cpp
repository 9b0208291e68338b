#include "simulations/disk/sim_env.hpp"

namespace pessoa::sim {

using persistence::open_mode;
using persistence::random_file;
using persistence::space_info;
using persistence::storage_env;

error refused(disk_operation op, const std::string& path, const char* why) {
  return {ec::storage_failed, std::string{to_string(op)} + " " + path + ": " + why};
}

// -- gates ---

result<disk_fault> sim_env::enter(disk_operation op, const std::string& path) {
  if (state_ == life::dead) {
    ++disk_.counters_.after_death;
    return refused(op, path, "the process is dead");
  }
  if (state_ == life::cut) return refused(op, path, "the power is gone");
  return disk_.faults_.next(op, path);
}

result<bool> sim_env::enter_whole(disk_operation op, const std::string& path) {
  PESSOA_TRY(auto fault, enter(op, path));
  if (fault == disk_fault::none) return true;
  if (fault == disk_fault::power_cut) {
    cut();
    return disk_.random_.below(2) == 0; // done, although nobody will hear of it
  }
  if (fault == disk_fault::no_space)
    return {ec::disk_full, std::string{to_string(op)} + " " + path + ": ENOSPC (injected)"};
  return refused(op, path, "EIO (injected)");
}

// -- names ---

result<std::unique_ptr<random_file>> sim_env::open_file(const std::string& path, open_mode mode) {
  PESSOA_TRY(auto go, enter_whole(disk_operation::open, path));
  if (!go) return refused(disk_operation::open, path, "the power is gone");
  PESSOA_TRY(auto place, disk_.tree_.locate(path));
  auto node = disk_.tree_.find(path);
  bool creates = mode == open_mode::create || mode == open_mode::create_new;
  if (node && mode == open_mode::create_new) return refused(disk_operation::open, path, "file exists");
  if (node && node->is_directory) return refused(disk_operation::open, path, "is a directory");
  if (!node && !creates) return {ec::not_found, "open " + path + ": no such file"};
  if (!node) node = disk_.tree_.add(place.first, place.second, false);
  return std::unique_ptr<random_file>{
      std::make_unique<sim_handle>(*this, path, node, mode != open_mode::read)};
}

result<void> sim_env::create_directories(const std::string& path) {
  PESSOA_TRY(auto go, enter_whole(disk_operation::create_directory, path));
  for (size_t end = 0; go && end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    auto part = path.substr(0, end);
    if (auto there = disk_.tree_.find(part)) {
      if (!there->is_directory) return refused(disk_operation::create_directory, part, "not a directory");
      continue;
    }
    PESSOA_TRY(auto place, disk_.tree_.locate(part));
    disk_.tree_.add(place.first, place.second, true);
  }
  return state_ == life::alive ? result<void>{}
                               : refused(disk_operation::create_directory, path, "the power is gone");
}

result<void> sim_env::sync_directory(const std::string& path) {
  PESSOA_TRY(auto go, enter_whole(disk_operation::sync_directory, path));
  auto node = disk_.tree_.find(path);
  if (!node) return {ec::not_found, "sync directory " + path + ": no such directory"};
  if (!node->is_directory) return refused(disk_operation::sync_directory, path, "not a directory");
  ++disk_.counters_.directory_syncs;
  if (go) disk_.tree_.sync_directory(node);
  return state_ == life::alive ? result<void>{}
                               : refused(disk_operation::sync_directory, path, "the power is gone");
}

result<std::vector<std::string>> sim_env::list_directory(const std::string& path) {
  PESSOA_TRY(auto go, enter_whole(disk_operation::list, path));
  if (!go) return refused(disk_operation::list, path, "the power is gone");
  auto node = disk_.tree_.find(path);
  if (!node) return {ec::not_found, "list " + path + ": no such directory"};
  if (!node->is_directory) return refused(disk_operation::list, path, "not a directory");
  std::vector<std::string> names;
  for (auto& [name, child] : node->now)
    names.push_back(name);
  return names;
}

result<void> sim_env::rename(const std::string& from, const std::string& to) {
  PESSOA_TRY(auto go, enter_whole(disk_operation::rename, from));
  auto node = disk_.tree_.find(from);
  if (!node) return {ec::not_found, "rename " + from + " to " + to + ": no such file"};
  PESSOA_TRY(auto source, disk_.tree_.locate(from));
  PESSOA_TRY(auto goal, disk_.tree_.locate(to));
  auto replaced = disk_.tree_.find(to);
  if (replaced && (replaced->is_directory != node->is_directory || !replaced->now.empty()))
    return refused(disk_operation::rename, from + " to " + to, "the target is in the way");
  if (go) {
    disk_.tree_.move(source.first, source.second, goal.first, goal.second);
    if (replaced && replaced != node && replaced->open_handles == 0) disk_.used_ -= replaced->file.size();
  }
  return state_ == life::alive ? result<void>{} : refused(disk_operation::rename, from, "the power is gone");
}

void sim_env::drop(const node_ptr& directory, std::string name) {
  auto node = directory->now.at(name);
  while (!node->now.empty())
    drop(node, node->now.begin()->first);
  disk_.tree_.unlink(directory, name);
  if (node->open_handles == 0) disk_.used_ -= node->file.size();
}

result<void> sim_env::remove_file(const std::string& path) {
  PESSOA_TRY(auto go, enter_whole(disk_operation::remove, path));
  auto node = disk_.tree_.find(path);
  if (node && node->is_directory) return refused(disk_operation::remove, path, "is a directory");
  if (node && go) {
    PESSOA_TRY(auto place, disk_.tree_.locate(path));
    drop(place.first, place.second);
  }
  return state_ == life::alive ? result<void>{} : refused(disk_operation::remove, path, "the power is gone");
}

result<void> sim_env::remove_tree(const std::string& path) {
  PESSOA_TRY(auto go, enter_whole(disk_operation::remove, path));
  auto node = disk_.tree_.find(path);
  if (node) {
    PESSOA_TRY(auto place, disk_.tree_.locate(path));
    if (go && state_ == life::alive) drop(place.first, place.second);
    // Cut in the middle: some of the files below are gone, what holds them is still there.
    if (state_ == life::cut) {
      std::vector<std::string> names;
      for (auto& [name, child] : node->now)
        names.push_back(name);
      for (auto& name : names)
        if (disk_.random_.below(2) == 0) drop(node, name);
    }
  }
  return state_ == life::alive ? result<void>{} : refused(disk_operation::remove, path, "the power is gone");
}

result<space_info> sim_env::space(const std::string& path) {
  if (state_ != life::alive) return refused(disk_operation::list, path, "the process is dead");
  if (disk_.space_refused_) return refused(disk_operation::list, path, "nobody can say how much is free");
  auto total = disk_.options_.capacity_bytes;
  return space_info{total - std::min(total, disk_.used_), total};
}

namespace {

class sim_lock final : public storage_env::lock {
public:
  sim_lock(sim_env& env, std::string path) : env_(env), path_(std::move(path)) {}
  ~sim_lock() override { env_.unlock(path_); }

private:
  sim_env& env_;
  std::string path_;
};

} // namespace

result<std::unique_ptr<storage_env::lock>> sim_env::lock_exclusively(const std::string& path) {
  PESSOA_CHECK(open_file(path, open_mode::create));
  if (!locked_.insert(path).second) return {ec::directory_in_use, path + " is locked by another process"};
  return std::unique_ptr<lock>{std::make_unique<sim_lock>(*this, path)};
}

void sim_env::release(const node_ptr& node) {
  if (state_ == life::dead) return; // the crash has counted anew
  if (--node->open_handles == 0 && !node->linked) disk_.used_ -= node->file.size();
}

// -- bytes ---

void sim_handle::put(uint64_t position, std::span<const byte_view> parts, uint64_t limit) {
  auto before = node_->file.size();
  for (auto part : parts) {
    auto count = std::min<uint64_t>(part.size(), limit);
    node_->file.write(position, part.subspan(0, count));
    position += count;
    limit -= count;
  }
  env_.disk_.used_ += node_->file.size() - before;
}

result<void> sim_handle::write_at(uint64_t position, std::span<const byte_view> parts) {
  PESSOA_TRY(auto fault, env_.enter(disk_operation::write, path_));
  if (!writable_) return refused(disk_operation::write, path_, "opened for reading");
  auto& disk = env_.disk_;
  uint64_t total = 0;
  for (auto part : parts)
    total += part.size();
  ++disk.counters_.writes;
  disk.counters_.bytes_written += total;
  auto room = disk.options_.capacity_bytes - std::min(disk.options_.capacity_bytes, disk.used_);
  auto grows_from = std::max(position, node_->file.size());
  auto fits = position + total <= grows_from          ? total
              : position + total - grows_from <= room ? total
                                                      : std::min(total, grows_from - position + room);
  switch (fault) {
  case disk_fault::error:
  case disk_fault::power_cut:
    put(position, parts, std::min(fits, disk.random_.below(total + 1)));
    if (fault == disk_fault::power_cut) env_.cut();
    return refused(disk_operation::write, path_ + " at " + std::to_string(position), "EIO (injected)");
  case disk_fault::short_write:
  case disk_fault::no_space: {
    put(position, parts, total == 0 ? 0 : std::min(fits, disk.random_.below(total)));
    auto text = "write " + path_ + " at " + std::to_string(position) + ": short write (injected)";
    return {fault == disk_fault::no_space ? ec::disk_full : ec::storage_failed, text};
  }
  case disk_fault::lost_write:
    return {};
  case disk_fault::misdirected_write: {
    auto there = disk.random_.below(node_->file.size() / 512 + 1) * 512;
    put(there, parts, total);
    return {};
  }
  default:
    put(position, parts, fits);
  }
  if (fits == total) return {};
  ++disk.counters_.no_room;
  return {ec::disk_full, "write " + path_ + " at " + std::to_string(position) + ": " + std::to_string(fits)
                             + " of " + std::to_string(total) + " bytes, no space left"};
}

result<size_t> sim_handle::read_at(uint64_t position, uint8_t* into, size_t size) const {
  PESSOA_TRY(auto fault, env_.enter(disk_operation::read, path_));
  if (fault != disk_fault::none && fault != disk_fault::flip_bit)
    return refused(disk_operation::read, path_ + " at " + std::to_string(position), "EIO (injected)");
  auto count = node_->file.read(position, into, size);
  auto& disk = env_.disk_;
  ++disk.counters_.reads;
  disk.counters_.bytes_read += count;
  if (fault == disk_fault::flip_bit && count > 0) {
    auto bit = disk.random_.below(uint64_t{count} * 8);
    into[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
  return count;
}

result<void> sim_handle::sync() {
  PESSOA_TRY(auto fault, env_.enter(disk_operation::sync, path_));
  auto& disk = env_.disk_;
  ++disk.counters_.syncs;
  if (fault == disk_fault::power_cut) {
    if (disk.random_.below(2) == 0) disk.tree_.sync_file(node_);
    env_.cut();
    return refused(disk_operation::sync, path_, "the power is gone");
  }
  if (fault != disk_fault::none) {
    disk.tree_.fail_sync_file(node_, disk.random_);
    return refused(disk_operation::sync, path_, "EIO (injected)");
  }
  disk.tree_.sync_file(node_);
  return {};
}

result<void> sim_handle::truncate(uint64_t size) {
  PESSOA_TRY(auto go, env_.enter_whole(disk_operation::truncate, path_));
  if (!writable_) return refused(disk_operation::truncate, path_, "opened for reading");
  if (go) {
    env_.disk_.used_ += size;
    env_.disk_.used_ -= node_->file.size();
    node_->file.truncate(size);
  }
  return env_.state_ == life::alive ? result<void>{}
                                    : refused(disk_operation::truncate, path_, "the power is gone");
}

} // namespace pessoa::sim
