// The disk, as one seam: logs, journal, tables and LevelDB itself see files through this and nothing else.
//
// Derived from leveldb::Env, so that LevelDB's files and ours share one fault domain and one crash point in
// the simulator. What Env lacks and durability needs is added: directory sync, truncation, positioned I/O,
// free space.
//
// Promises of every implementation (tests/persistence/storage_env_contract.hpp is run on each):
//  - sync() returns ok only when the bytes written before it survive power loss. The *name* of a new, renamed
//  or
//    removed file survives only after sync_directory() of its directory (failures S4, S5).
//  - A failed write or sync means "unknown", never "not done" (S6). After a failed sync the caller must not
//  trust a
//    later one (S8).
//  - Errors carry the path and the system's own words. ENOSPC and EDQUOT become ec::disk_full, anything else
//    ec::storage_failed; a missing file is ec::not_found.
#pragma once

#include "schema/bytes.hpp"
#include "schema/result.hpp"

#include <leveldb/env.h>

#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace pessoa::persistence {

// An open file with positioned I/O. Thread-safe for reads beside one writer. Closing never syncs.
class random_file {
public:
  virtual ~random_file() = default;

  // Writes all of `parts`, one after another, from `position` on. A short write is an error (ec::disk_full or
  // storage_failed), after which any prefix may be there.
  virtual result<void> write_at(uint64_t position, std::span<const byte_view> parts) = 0;
  // Reads up to `size` bytes; fewer only at the end of the file. Returns how many.
  virtual result<size_t> read_at(uint64_t position, uint8_t* into, size_t size) const = 0;
  // Data and length are durable when it returns ok.
  virtual result<void> sync() = 0;
  virtual result<void> truncate(uint64_t size) = 0;
  virtual result<uint64_t> size() const = 0;

  result<void> write_at(uint64_t position, byte_view part) {
    return write_at(position, std::span<const byte_view>{&part, 1});
  }
};

enum class open_mode : uint8_t {
  read,       // must exist
  read_write, // must exist
  create,     // read and write; created when missing
  create_new, // read and write; must not exist
};

struct space_info {
  uint64_t free_bytes; // available to this process
  uint64_t total_bytes;
};

// How LevelDB's own files are treated. `stock` is what LevelDB's environment does: it exists so that tests
// can show what goes wrong with it.
enum class leveldb_care : uint8_t {
  ours,  // a new *.log and a renamed CURRENT are durable by name (S4, S5), a file that failed once stays
         // failed (S1), and no manifest goes that CURRENT may name
  stock, // directories are synced with a MANIFEST only, and a write after a failed one is tried
};

class storage_env : public leveldb::EnvWrapper {
public:
  // `base` serves what nobody overrides (time, threads). Not owned.
  explicit storage_env(leveldb::Env* base, leveldb_care care = leveldb_care::ours)
      : leveldb::EnvWrapper(base), care_(care) {}

  virtual result<std::unique_ptr<random_file>> open_file(const std::string& path, open_mode mode) = 0;
  // Creates missing parents too. Ok if it is there. Durable after sync_directory of the parent.
  virtual result<void> create_directories(const std::string& path) = 0;
  virtual result<void> sync_directory(const std::string& path) = 0;
  // Names (not paths) in `path`, sorted, without "." and "..".
  virtual result<std::vector<std::string>> list_directory(const std::string& path) = 0;
  virtual result<void> rename(const std::string& from, const std::string& to) = 0;
  // Ok when it is already gone.
  virtual result<void> remove_file(const std::string& path) = 0;
  // With everything below it. Ok when it is already gone.
  virtual result<void> remove_tree(const std::string& path) = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) = 0;
  virtual result<space_info> space(const std::string& path) = 0;

  // An exclusive lock on a file that dies with the process. ec::directory_in_use when another holds it.
  class lock {
  public:
    virtual ~lock() = default; // unlocks
  };
  virtual result<std::unique_ptr<lock>> lock_exclusively(const std::string& path) = 0;

  // An environment for one thread queues what LevelDB schedules; who uses LevelDB runs the queue empty with
  // this after every call into it and before closing it, else LevelDB waits for ever. Nothing to do where
  // threads exist.
  virtual void drain_scheduled() {}

  // -- for LevelDB, written once on top of the above (storage_env_leveldb.cpp) ---
  leveldb::Status NewSequentialFile(const std::string& path, leveldb::SequentialFile** out) override;
  leveldb::Status NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** out) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** out) override;
  leveldb::Status NewAppendableFile(const std::string& path, leveldb::WritableFile** out) override;
  bool FileExists(const std::string& path) override { return exists(path); }
  leveldb::Status GetChildren(const std::string& path, std::vector<std::string>* out) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& path) override;
  leveldb::Status RemoveDir(const std::string& path) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* out) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** out) override;
  leveldb::Status UnlockFile(leveldb::FileLock* held) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** out) override; // to nowhere

private:
  bool may_be_named(const std::string& directory); // a manifest in it, by CURRENT

  leveldb_care care_;
  std::mutex mutex_;
  std::set<std::string>
      unnamed_; // directories of which nobody knows which manifest CURRENT names after a crash
};

// What LevelDB says, in our words: the code survives the way through it.
error to_error(const leveldb::Status& status);

// "a/b" of "a/b/c"; "." where there is none, "/" of "/a".
std::string parent_directory(const std::string& path);

// The whole content of a small file, at most `limit` bytes (ec::corrupt_data above that).
result<std::vector<uint8_t>> read_whole_file(storage_env& env, const std::string& path, size_t limit);
// create_directories, durable by name: the parent of every directory it had to make is synced, and that of
// `path` always.
result<void> create_directories_durably(storage_env& env, const std::string& path);
// Replaces a small file so that after a crash either the old or the new content is there, whole: written
// beside it, synced, renamed, directory synced.
result<void> replace_file(storage_env& env, const std::string& path, byte_view content);

// The real disk. Thread-safe; its background work is LevelDB's one thread per process.
std::unique_ptr<storage_env> make_posix_storage_env();

} // namespace pessoa::persistence
