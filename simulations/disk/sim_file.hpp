// The bytes of one simulated file: what is on the platter, and what a power cut may still take.
//
// Promises: pending operations are kept in order until a sync settles them; a power cut settles them in one
// of many bad ways, drawn from the seed, and touches no byte outside the pending ranges (a settled byte is
// safe). Each call costs the bytes it moves, never the size of the file. It knows nothing of names
// (sim_tree.hpp) or faults (fault_plan.hpp).
//
// A file system that makes a file longer before its data has arrived may show what lay in those blocks before: here, what
// the file's last truncation took from the platter.
#pragma once

#include "schema/bytes.hpp"
#include "schema/seams/random.hpp"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace pessoa::sim {

class sim_file {
public:
  [[nodiscard]] uint64_t size() const { return now_.size(); }
  // What a read would see, for who only looks on. Until the next write.
  [[nodiscard]] byte_view content() const { return now_; }
  // Up to `size` bytes; fewer only at the end. Returns how many.
  size_t read(uint64_t position, uint8_t* into, size_t size) const;
  void write(uint64_t position, byte_view data);
  void truncate(uint64_t size);

  void sync();
  // What the kernel does after a failed write-back (S6, S8): pages are marked clean whether or not they
  // reached the platter. They stay readable until the next power cut, and a later sync finds nothing to do.
  void fail_sync(random_source& random);
  // Settles everything pending, whole if the cut is a lucky one (what a failed sync dropped is gone all the
  // same). With `stale_sectors` new sectors may show what was there before the last truncation. Returns whether anything
  // was lost or damaged.
  bool lose_power(random_source& random, bool keep_everything, bool stale_sectors = false);

  // Leading bytes that read the same after any power cut that could happen now.
  [[nodiscard]] uint64_t durable_prefix() const;
  [[nodiscard]] bool is_durable(uint64_t begin, uint64_t end) const;
  [[nodiscard]] bool has_pending() const { return !pending_.empty() || !lost_.empty(); }

  void flip_bit(uint64_t position, unsigned bit);

private:
  struct operation {
    bool is_write;
    uint64_t position;     // of the write, or the new size
    size_t begin, size;    // its bytes in data_
    uint64_t touched_from; // every byte that may differ lies in [touched_from, touched_to)
    uint64_t touched_to;
  };
  using range = std::pair<uint64_t, uint64_t>;

  void settle(const operation& op);
  void settle_and_heal(const operation& op);
  void settle_part(const operation& op, size_t from, size_t to);
  void settle_damaged(const operation& op, random_source& random, uint64_t unit);
  void settle_sectors(const operation& op, random_source& random, uint64_t new_from,
                      std::map<uint64_t, bool>& arrived);
  void add_lost(range gone);
  void remove_lost(range healed);

  std::vector<uint8_t> now_;     // what a read sees
  std::vector<uint8_t> durable_; // what a power cut leaves for sure, with pending_ on top of it in some form
  std::vector<uint8_t> data_;    // bytes of the pending writes, back to back
  std::vector<operation> pending_;
  uint64_t pending_from_ = UINT64_MAX; // smallest touched_from
  std::vector<uint8_t> stale_;         // what the last truncation took from the platter,
  uint64_t stale_from_ = 0;            // and from where on
  std::vector<range> lost_;            // dropped by a failed sync, in order of arrival
};

} // namespace pessoa::sim
