// A keyed table that a log is folded into, in LevelDB, under the rules that make LevelDB 1.23 safe to use
// (decision record 0001): it holds only what its log can rebuild.
//
// Promises
//  - After open, the entries are exactly those of one position in the log, applied(); the caller folds in
//  what follows.
//    That is checked, not assumed: every block's checksum, and the digest of all entries against the table's
//    head.
//  - A table in doubt (damaged, incomplete, older than it should be) is thrown away and begins empty; never
//  repaired.
//  - A synced write that was answered with ok survives power loss, or the next open says that it throws the
//  table away.
//  - The first failed write, sync or read ends the table: from then on every call says storage_failed until
//  it is opened
//    anew. A failed write is unknown, never undone (failures S1, S6, S8).
//
// Does not: take snapshots (LevelDB 1.23's compaction is wrong with them), reuse logs, repair, or share
// itself: one caller at a time, on a thread that may block. Opening reads the whole table; it is meant for
// small state. docs/formats/table.md describes what lies on disk.
#pragma once

#include "persistence/storage_env.hpp"
#include "persistence/table_head.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace leveldb {
class DB;
}

namespace pessoa::persistence {

inline constexpr size_t table_key_bytes_max = 4 << 10;
inline constexpr size_t table_value_bytes_max = 1 << 20;
inline constexpr size_t table_batch_bytes_max = 16 << 20;

struct table_options {
  size_t write_buffer_bytes = 4 << 20; // tests make it small, so that LevelDB's files roll
  size_t file_bytes = 2 << 20;
  // The caller knows from elsewhere that the table had got this far: an older one has lost something.
  std::optional<int64_t> applied_at_least;
};

// Changes to be made together. The last one to a key wins.
class table_batch {
public:
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);
  [[nodiscard]] bool empty() const { return changes_.empty(); }

private:
  friend class table;
  void change(std::string_view key, std::optional<std::string> value);

  std::map<std::string, std::optional<std::string>, std::less<>> changes_; // nullopt: removed
  size_t bytes_ = 0;
  std::string too_large_; // why it cannot be written; empty: it can
};

enum class table_sync : uint8_t {
  now,   // on disk when write() returns
  later, // a power loss may take the table back to an earlier position, or make the next open throw it away
};

class table {
public:
  struct opened {
    std::unique_ptr<table> store;
    // Set: what was there could not be trusted and was thrown away; why. The caller refills it from the log.
    std::optional<std::string> rebuild;
  };
  // Opens or creates the table in the directory `path`, whose parent exists. Errors: storage_failed,
  // disk_full, directory_in_use; unsupported_version (untouched). Blocking, as everything below.
  static result<opened> open(storage_env& env, const std::string& path, table_options options = {});
  // Removes a table that nobody has open, durably by name.
  static result<void> discard(storage_env& env, const std::string& path);
  ~table(); // without close(): a start after it trusts nothing but the table itself

  table(const table&) = delete;
  table& operator=(const table&) = delete;

  // How far the log is folded in; nullopt: begin at its start.
  [[nodiscard]] std::optional<int64_t> applied() const { return head_.applied; }
  // Equal on all nodes that have folded the same log to the same position.
  [[nodiscard]] const table_head& head() const { return head_; }
  [[nodiscard]] const std::optional<error>& failed() const { return failed_; }

  // Makes all changes and moves the position, as one. Requires: `applied` above the former one. Errors:
  // invalid_argument (a key, value or batch above its limit; nothing happened); any other ends the table, and
  // what happened is unknown.
  result<void> write(const table_batch& batch, int64_t applied, table_sync sync = table_sync::now);

  result<std::optional<std::string>> get(std::string_view key);
  // Calls `visit` for each key with the prefix, in order, from `from` on if that is later; it returns false
  // to stop. `visit` must not call the table.
  using visitor = std::function<bool(std::string_view key, std::string_view value)>;
  result<void> scan(std::string_view prefix, const visitor& visit, std::string_view from = {});

  // The clean end: leaves a note of the head, so that the next open finds out about rot that LevelDB takes
  // for an unfinished write (failures S2). Nothing may be called after it.
  result<void> close();

private:
  table(storage_env& env, std::string path);
  enum class verdict : uint8_t { sound, doubtful };
  struct finding {
    verdict what = verdict::sound;
    std::string why;
  };
  result<finding> start(const table_options& options);
  result<finding> check_content(const table_options& options);
  result<finding> read_closing_note();
  result<void> forget_closing_note();
  result<table_head> head_after(const table_batch& batch);
  error end_with(error why);
  [[nodiscard]] std::string closing_note_path() const { return path_ + "/CLOSED"; }

  storage_env& env_;
  std::string path_;
  std::unique_ptr<leveldb::DB> db_;
  table_head head_;
  std::optional<table_head> closing_note_;
  std::optional<error> failed_;
  bool unsynced_ = false; // something was written with table_sync::later since the last synced write
  bool closed_ = false;
  std::atomic<bool> busy_{false}; // finds a second caller
};

} // namespace pessoa::persistence
