#include "simulations/disk/sim_disk.hpp"

#include "simulations/disk/sim_env.hpp"

namespace pessoa::sim {

sim_disk_options sim_disk_options::draw(random_source& random) {
  sim_disk_options options;
  options.strict_names = random.below(2) == 0;
  return options;
}

sim_disk::sim_disk(random_source& random, sim_disk_options options)
    : random_(random), options_(options), tree_(options.strict_names, options.stale_sectors),
      faults_(random) {
  lives_.push_back(std::make_unique<sim_env>(*this));
}

sim_disk::~sim_disk() = default;

persistence::storage_env& sim_disk::env() { return *lives_.back(); }

const std::multiset<std::string>& sim_disk::open_files() const { return lives_.back()->open_; }

bool sim_disk::is_cut() const { return lives_.back()->state_ == life::cut; }

void sim_disk::crash(crash_kind kind) {
  lives_.back()->state_ = life::dead;
  last_crash_lost_ = false;
  if (kind == crash_kind::power)
    last_crash_lost_ = tree_.lose_power(random_, random_.below(100) < options_.lossless_percent);
  tree_.forget_handles();
  used_ = tree_.bytes_used();
  lives_.push_back(std::make_unique<sim_env>(*this));
}

void sim_disk::flip_bit(const std::string& path, uint64_t bit_index) {
  auto node = tree_.find(path);
  PESSOA_ASSERT(node && bit_index / 8 < node->file.size(), path, bit_index);
  node->file.flip_bit(bit_index / 8, static_cast<unsigned>(bit_index % 8));
}

uint64_t sim_disk::durable_prefix(const std::string& path) const {
  auto node = tree_.find(path);
  return node && tree_.is_durable_name(path) ? node->file.durable_prefix() : 0;
}

bool sim_disk::is_durable(const std::string& path, uint64_t begin, uint64_t end) const {
  auto node = tree_.find(path);
  return node && tree_.is_durable_name(path) && node->file.is_durable(begin, end);
}

std::optional<byte_view> sim_disk::content(const std::string& path) const {
  auto node = tree_.find(path);
  if (node == nullptr || node->is_directory) return std::nullopt;
  return node->file.content();
}

std::vector<std::string> sim_disk::names_in(const std::string& directory) const {
  std::vector<std::string> out;
  if (auto node = tree_.find(directory))
    for (auto& [name, entry] : node->now)
      out.push_back(name);
  return out;
}

} // namespace pessoa::sim
