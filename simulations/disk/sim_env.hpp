// One life of a process on a simulated disk: its environment and its open files. Only sim_disk makes them.
#pragma once

#include "simulations/disk/sim_disk.hpp"

#include <algorithm>
#include <deque>
#include <set>

namespace pessoa::sim {

enum class life : uint8_t { alive, cut, dead };

error refused(disk_operation op, const std::string& path, const char* why);

class sim_env final : public persistence::storage_env {
public:
  explicit sim_env(sim_disk& disk)
      : persistence::storage_env(leveldb::Env::Default(), disk.options_.leveldb_care), disk_(disk) {}

  result<std::unique_ptr<persistence::random_file>> open_file(const std::string& path,
                                                              persistence::open_mode mode) override;
  result<void> create_directories(const std::string& path) override;
  result<void> sync_directory(const std::string& path) override;
  result<std::vector<std::string>> list_directory(const std::string& path) override;
  result<void> rename(const std::string& from, const std::string& to) override;
  result<void> remove_file(const std::string& path) override;
  result<void> remove_tree(const std::string& path) override;
  bool exists(const std::string& path) override { return state_ == life::alive && disk_.tree_.find(path); }
  result<persistence::space_info> space(const std::string& path) override;
  result<std::unique_ptr<lock>> lock_exclusively(const std::string& path) override;

  void Schedule(void (*function)(void*), void* argument) override {
    scheduled_.emplace_back(function, argument);
  }
  void StartThread(void (*)(void*), void*) override { PESSOA_ASSERT(false, "threads do not exist here"); }
  uint64_t NowMicros() override { return ++disk_.micros_; }
  void SleepForMicroseconds(int micros) override {
    disk_.micros_ += static_cast<uint64_t>(std::max(micros, 0));
  }
  void drain_scheduled() override {
    while (!scheduled_.empty()) {
      auto next = scheduled_.front();
      scheduled_.pop_front();
      next.first(next.second);
    }
  }

  // Asks whether the operation may go on, and with which fault.
  result<disk_fault> enter(disk_operation op, const std::string& path);
  // The same for operations without a partial form: a fault is an error, and a cut may come before or after.
  result<bool> enter_whole(disk_operation op, const std::string& path);
  void cut() { state_ = life::cut; }
  void release(const node_ptr& node);
  void unlock(const std::string& path) { locked_.erase(path); }

  sim_disk& disk_;
  life state_ = life::alive;
  std::multiset<std::string> open_; // paths, one per handle

private:
  void drop(const node_ptr& directory, std::string name); // a copy: the caller's may be the key that goes

  std::set<std::string> locked_;
  std::deque<std::pair<void (*)(void*), void*>> scheduled_;
};

class sim_handle final : public persistence::random_file {
public:
  sim_handle(sim_env& env, std::string path, node_ptr node, bool writable)
      : env_(env), path_(std::move(path)), node_(std::move(node)), writable_(writable) {
    ++node_->open_handles;
    env_.open_.insert(path_);
  }
  ~sim_handle() override {
    env_.open_.erase(env_.open_.find(path_));
    env_.release(node_);
  }

  result<void> write_at(uint64_t position, std::span<const byte_view> parts) override;
  result<size_t> read_at(uint64_t position, uint8_t* into, size_t size) const override;
  result<void> sync() override;
  result<void> truncate(uint64_t size) override;
  result<uint64_t> size() const override {
    if (env_.state_ != life::alive) return refused(disk_operation::read, path_, "the process is dead");
    return node_->file.size();
  }

private:
  // Writes the first `limit` bytes of `parts`.
  void put(uint64_t position, std::span<const byte_view> parts, uint64_t limit);

  sim_env& env_;
  std::string path_;
  node_ptr node_;
  bool writable_;
};

} // namespace pessoa::sim
