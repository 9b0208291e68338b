// What an unclean stop left in the journal: found once, then handed out log by log.
//
// A record that is no longer whole ends the journal if nothing behind it says that it was durable; otherwise
// the journal is damaged, and what is known of the damage goes to the logs it may concern. Nothing is written
// here.
//
// read() goes from record header to record header, and verifies frames only where the journal may end: in the
// rounds that nothing calls durable. All others are read once, when their log takes them, and verified then. So
// neither are bytes read twice, but for the last round's, nor does a journal have to fit into memory.
#pragma once

#include "persistence/journal_format.hpp"
#include "persistence/partition_log.hpp"

#include <map>
#include <memory>
#include <set>

namespace pessoa::persistence {

class journal_recovery {
public:
  // Reads every journal file in `directory`. Errors: storage_failed, unsupported_version.
  static result<journal_recovery> read(storage_env& env, std::string directory);

  // Reads a log's frames and verifies them; they are given once, and once more after each give_back().
  journal_frames take(const partition_key& key);
  void give_back(const partition_key& key) { taken_.erase(key); }
  [[nodiscard]] bool holds(const partition_key& key) const { return places_.count(key) > 0; }
  [[nodiscard]] bool empty() const { return numbers_.empty(); }
  // For the first file of this life.
  [[nodiscard]] uint64_t next_number() const { return next_number_; }
  // Of the newest file, as far as something says that they are durable.
  [[nodiscard]] uint64_t newest_bytes() const { return newest_bytes_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  // The files are no longer needed: removes them.
  result<void> remove();

private:
  struct place {
    uint64_t number;
    uint64_t position; // of the frames
    uint32_t length;
    uint32_t frame_count;
    uint32_t generation;
    offset base, end;
  };
  result<void> read_frames(const partition_key& key, const place& at, journal_frames& into);
  result<random_file*> file(uint64_t number);
  result<void> read_file(uint64_t number, std::optional<uint64_t> durable_bytes);
  result<std::optional<journal_file_header>> read_header(uint64_t number);
  void accept(const journal_record& record, uint64_t number, uint64_t position);
  void doubt(uint64_t number, uint64_t position);
  [[nodiscard]] std::string path(uint64_t number) const {
    return directory_ + "/" + journal_file_name(number);
  }

  storage_env* env_ = nullptr;
  std::string directory_;
  std::vector<uint64_t> numbers_; // ascending
  std::map<uint64_t, std::unique_ptr<random_file>> files_;
  uint64_t next_number_ = 1;
  uint64_t newest_bytes_ = 0;
  uint64_t bytes_ = 0;
  std::map<partition_key, std::vector<place>> places_;
  std::map<partition_key, std::vector<journal_frames::lost_frames>> lost_;
  std::set<partition_key> taken_;
  std::optional<std::string> damage_;
};

} // namespace pessoa::persistence
