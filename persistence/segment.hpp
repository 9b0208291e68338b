// One file of frames, and its index. It knows where its file is and opens it on demand, so that an idle log
// holds no open file; what it contains is known to the log (segmented_log.hpp).
//
// Headerless: every frame says its version and whose it is, and the name says the first offset. That the file
// exists means that everything below that offset was durable before: a log rolls only after a sync.
#pragma once

#include "persistence/log_files.hpp"
#include "persistence/segment_index.hpp"

#include <memory>
#include <mutex>

namespace pessoa::persistence {

class segment {
public:
  segment(storage_env& env, const std::string& directory, const partition_key& key, offset base)
      : env_(env), base_(base), path_(directory + "/" + file_name(base, segment_suffix)),
        index_path_(directory + "/" + file_name(base, index_suffix)), index_(env, index_path_, key, base) {}

  [[nodiscard]] offset base() const { return base_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& index_path() const { return index_path_; }
  [[nodiscard]] segment_index& index() { return index_; }

  // Makes the file. Its name is durable after a sync of the directory. Error if it exists.
  result<void> create();
  // The open file; opens it when it is not. The caller's pointer keeps it open.
  result<std::shared_ptr<random_file>> file();
  [[nodiscard]] bool is_open() const {
    std::lock_guard lock{mutex_};
    return file_ != nullptr;
  }
  void release();
  // Removes both files. The index goes first: an index without a segment would be believed if that name came
  // again.
  result<void> remove();

private:
  storage_env& env_;
  offset base_;
  std::string path_;
  std::string index_path_;
  segment_index index_;
  mutable std::mutex mutex_;
  std::shared_ptr<random_file> file_;
};

// What a log knows about a segment's content.
struct segment_facts {
  uint64_t size = 0;                     // bytes of whole frames; the file may be longer after a failed write
  offset end{0};                         // one past the last record
  timestamp max_time = no_timestamp;     // over all records, as the batches say
  timestamp first_append = no_timestamp; // of the first frame
  timestamp last_append = no_timestamp;  // largest
};

} // namespace pessoa::persistence
