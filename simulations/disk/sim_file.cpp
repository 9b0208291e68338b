#include "simulations/disk/sim_file.hpp"

#include <algorithm>

namespace pessoa::sim {

size_t sim_file::read(uint64_t position, uint8_t* into, size_t size) const {
  if (position >= now_.size()) return 0;
  auto count = std::min<uint64_t>(size, now_.size() - position);
  if (count > 0) std::memcpy(into, now_.data() + position, count);
  return count;
}

void sim_file::write(uint64_t position, byte_view data) {
  if (data.empty()) return;
  auto touched_from = std::min<uint64_t>(position, now_.size());
  auto end = position + data.size();
  pending_.push_back({true, position, data_.size(), data.size(), touched_from, end});
  pending_from_ = std::min(pending_from_, touched_from);
  data_.insert(data_.end(), data.begin(), data.end());
  if (now_.size() < end) now_.resize(end);
  std::memcpy(now_.data() + position, data.data(), data.size());
}

void sim_file::truncate(uint64_t size) {
  if (size == now_.size()) return;
  if (size < durable_.size()) {
    stale_.assign(durable_.begin() + static_cast<ptrdiff_t>(size), durable_.end());
    stale_from_ = size;
  }
  auto touched_from = std::min<uint64_t>(size, now_.size());
  pending_.push_back({false, size, 0, 0, touched_from, UINT64_MAX});
  pending_from_ = std::min(pending_from_, touched_from);
  now_.resize(size);
}

void sim_file::settle(const operation& op) {
  if (op.is_write) {
    settle_part(op, 0, op.size);
  } else {
    durable_.resize(op.position);
  }
}

// Puts the bytes [from, to) of a write onto the platter.
void sim_file::settle_part(const operation& op, size_t from, size_t to) {
  if (from >= to) return;
  if (durable_.size() < op.position + to) durable_.resize(op.position + to);
  std::memcpy(durable_.data() + op.position + from, data_.data() + op.begin + from, to - from);
}

// Settles an operation, and with it what an earlier failed sync had dropped there. Bytes between the old end
// and the operation's place are right only where the platter had none: a lost truncation leaves stale ones.
void sim_file::settle_and_heal(const operation& op) {
  auto right_from = std::min(op.position, std::max<uint64_t>(op.touched_from, durable_.size()));
  settle(op);
  if (!lost_.empty()) remove_lost({right_from, op.touched_to});
}

void sim_file::sync() {
  for (auto& op : pending_)
    settle_and_heal(op);
  pending_.clear();
  data_.clear();
  pending_from_ = UINT64_MAX;
}

void sim_file::fail_sync(random_source& random) {
  bool all_gone = random.below(2) == 0;
  for (auto& op : pending_) {
    if (!all_gone && random.below(2) == 0) {
      settle_and_heal(op);
    } else {
      add_lost({op.touched_from, op.touched_to});
    }
  }
  pending_.clear();
  data_.clear();
  pending_from_ = UINT64_MAX;
}

bool sim_file::lose_power(random_source& random, bool keep_everything, bool stale_sectors) {
  enum : uint64_t { keep_all, keep_none, prefix, torn_prefix, subset, damaged, length_only, kinds, sectors };
  uint64_t kind = keep_everything || pending_.empty() ? uint64_t{keep_all} : random.below(kinds);
  if (stale_sectors && kind != keep_all && random.below(4) != 0) kind = sectors;
  auto new_from = durable_.size();
  std::map<uint64_t, bool> arrived; // which sectors
  uint64_t unit = random.below(2) == 0 ? 512 : 4096;
  auto keep = kind == prefix || kind == torn_prefix ? random.below(pending_.size() + 1) : pending_.size();
  uint64_t longest = now_.size();
  for (size_t i = 0; i < pending_.size(); ++i) {
    auto& op = pending_[i];
    switch (kind) {
    case keep_all:
      settle(op);
      break;
    case prefix:
      if (i < keep) settle(op);
      break;
    case torn_prefix:
      if (i < keep) settle(op);
      // The last page of what survives is torn at a sector of the file.
      if (i == keep && op.is_write) {
        auto end = op.position + random.below(op.size + 1);
        end -= end % unit;
        if (end > op.position) settle_part(op, 0, end - op.position);
      }
      break;
    case subset:
      if (random.below(2) == 0) settle(op);
      break;
    case damaged:
      settle_damaged(op, random, unit);
      break;
    case sectors:
      settle_sectors(op, random, new_from, arrived);
      break;
    default:
      break;
    }
  }
  // The new length reached the disk and the data did not: zeros (S7).
  if (kind == length_only && durable_.size() < longest) durable_.resize(longest);
  bool whole = durable_ == now_;
  pending_.clear();
  data_.clear();
  lost_.clear();
  pending_from_ = UINT64_MAX;
  now_ = durable_;
  return !whole;
}

// Each sector of the write arrives, stays as it was, is zero, or is garbage.
void sim_file::settle_damaged(const operation& op, random_source& random, uint64_t unit) {
  if (!op.is_write) {
    if (random.below(2) == 0) settle(op);
    return;
  }
  size_t from = 0;
  while (from < op.size) {
    auto to = static_cast<size_t>(std::min<uint64_t>(op.size, from + unit - (op.position + from) % unit));
    auto fate = random.below(8);
    if (fate < 4) {
      settle_part(op, from, to);
    } else if (fate < 6) {
      settle_part(op, from, to);
      for (auto i = op.position + from; i < op.position + to; ++i)
        durable_[i] = fate == 4 ? 0 : static_cast<uint8_t>(random.next());
    }
    from = to;
  }
}

// Each sector that is new to the file arrives, or shows what was there before the last truncation.
void sim_file::settle_sectors(const operation& op, random_source& random, uint64_t new_from,
                              std::map<uint64_t, bool>& arrived) {
  constexpr uint64_t unit = 512;
  if (!op.is_write) {
    settle(op);
    return;
  }
  size_t from = 0;
  while (from < op.size) {
    auto begin = op.position + from;
    auto sector = begin / unit;
    auto to = static_cast<size_t>(std::min<uint64_t>(op.size, from + unit - begin % unit));
    settle_part(op, from, to);
    if (sector * unit >= new_from && arrived.count(sector) == 0) arrived[sector] = random.below(2) == 0;
    if (auto fate = arrived.find(sector); fate != arrived.end() && !fate->second)
      for (auto i = begin; i < op.position + to; ++i)
        durable_[i] =
            i >= stale_from_ && i - stale_from_ < stale_.size() ? stale_[i - stale_from_] : uint8_t{0};
    from = to;
  }
}

uint64_t sim_file::durable_prefix() const {
  uint64_t end = std::min<uint64_t>({now_.size(), durable_.size(), pending_from_});
  for (auto& gone : lost_)
    end = std::min(end, gone.first);
  return end;
}

bool sim_file::is_durable(uint64_t begin, uint64_t end) const {
  if (begin >= end) return true;
  if (end > now_.size() || end > durable_.size()) return false;
  for (auto& op : pending_)
    if (op.touched_from < end && begin < op.touched_to) return false;
  for (auto& gone : lost_)
    if (gone.first < end && begin < gone.second) return false;
  return true;
}

void sim_file::flip_bit(uint64_t position, unsigned bit) {
  auto mask = static_cast<uint8_t>(1u << bit);
  if (position < now_.size()) now_[position] ^= mask;
  if (position < durable_.size()) durable_[position] ^= mask;
}

void sim_file::add_lost(range gone) {
  remove_lost(gone);
  lost_.push_back(gone);
}

void sim_file::remove_lost(range healed) {
  std::vector<range> left;
  for (auto& gone : lost_) {
    if (gone.first < healed.first) left.emplace_back(gone.first, std::min(gone.second, healed.first));
    if (gone.second > healed.second) left.emplace_back(std::max(gone.first, healed.second), gone.second);
  }
  lost_ = std::move(left);
}

} // namespace pessoa::sim
