#include "persistence/table.hpp"

#include "schema/plants.hpp"

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <sstream>

namespace pessoa::persistence {

namespace {

using leveldb::Status;

// One byte before each key keeps our own entry apart from the caller's.
constexpr char head_key[] = "h";
constexpr char entry_mark = 'k';
constexpr size_t closing_note_bytes_max = 4096;
const std::string discarded_suffix = ".discarded";

std::string stored_key(std::string_view key) {
  std::string out;
  out.reserve(key.size() + 1);
  out += entry_mark;
  return out += key;
}

std::string_view text_of(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

// Ours, because LevelDB would otherwise write a file that nobody reads and everybody must sync around.
class no_logger final : public leveldb::Logger {
public:
  void Logv(const char*, std::va_list) override {}
};

leveldb::ReadOptions checked_read() {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  return options;
}

class sole_caller {
public:
  explicit sole_caller(std::atomic<bool>& busy) : busy_(busy) { PESSOA_ASSERT(!busy_.exchange(true)); }
  ~sole_caller() { busy_.store(false); }

private:
  std::atomic<bool>& busy_;
};

} // namespace

// -- batch ---

void table_batch::put(std::string_view key, std::string_view value) { change(key, std::string{value}); }
void table_batch::remove(std::string_view key) { change(key, std::nullopt); }

void table_batch::change(std::string_view key, std::optional<std::string> value) {
  auto value_bytes = value ? value->size() : 0;
  if (key.size() > table_key_bytes_max)
    too_large_ =
        "a key of " + std::to_string(key.size()) + " bytes, at most " + std::to_string(table_key_bytes_max);
  if (value_bytes > table_value_bytes_max)
    too_large_ = "a value of " + std::to_string(value_bytes) + " bytes, at most "
                 + std::to_string(table_value_bytes_max);
  bytes_ += key.size() + value_bytes;
  if (bytes_ > table_batch_bytes_max)
    too_large_ =
        "a batch of " + std::to_string(bytes_) + " bytes, at most " + std::to_string(table_batch_bytes_max);
  if (too_large_.empty()) changes_.insert_or_assign(std::string{key}, std::move(value));
}

// -- opening ---

table::table(storage_env& env, std::string path) : env_(env), path_(std::move(path)) {}

table::~table() {
  if (!db_) return;
  env_.drain_scheduled(); // LevelDB's destructor waits for what it has scheduled
  db_.reset();
  env_.drain_scheduled();
}

result<void> table::discard(storage_env& env, const std::string& path) {
  // By another name first: a half removed table must not be opened as a whole one.
  auto aside = path + discarded_suffix;
  PESSOA_CHECK(env.remove_tree(aside));
  if (env.exists(path)) PESSOA_CHECK(env.rename(path, aside));
  PESSOA_CHECK(env.sync_directory(parent_directory(path)));
  return env.remove_tree(aside);
}

result<table::opened> table::open(storage_env& env, const std::string& path, table_options options) {
  std::optional<std::string> rebuild;
  for (;;) {
    PESSOA_CHECK(env.remove_tree(path + discarded_suffix));
    PESSOA_CHECK(create_directories_durably(env, path));
    std::unique_ptr<table> store{new table{env, path}};
    PESSOA_TRY(auto found, store->start(options));
    if (found.what == verdict::sound) {
      if (rebuild) PESSOA_PROBE("table_rebuilt");
      return opened{std::move(store), std::move(rebuild)};
    }
    if (rebuild)
      return {ec::storage_failed, "table " + path + " is in doubt although it is new: " + found.why
                                      + " (before: " + *rebuild + ")"};
    rebuild = std::move(found.why);
    options.applied_at_least.reset(); // the new one begins empty, and the caller is told
    store.reset();
    PESSOA_CHECK(discard(env, path));
  }
}

result<table::finding> table::start(const table_options& options) {
  PESSOA_TRY(auto noted, read_closing_note());
  if (noted.what == verdict::doubtful) return noted;
  PESSOA_TRY(auto names, env_.list_directory(path_));
  bool has_current = std::find(names.begin(), names.end(), "CURRENT") != names.end();
  // LevelDB would begin a new database here, and fold in whatever log files still lie around (failures S7).
  auto is_litter = [](const std::string& name) { return name == "LOCK" || name == "CLOSED.tmp"; };
  if (!has_current && !std::all_of(names.begin(), names.end(), is_litter))
    return finding{verdict::doubtful, "CURRENT is missing"};

  static no_logger nowhere;
  leveldb::Options leveldb_options;
  leveldb_options.env = &env_;
  leveldb_options.info_log = &nowhere;
  leveldb_options.create_if_missing = true;
  leveldb_options.paranoid_checks = true;
  leveldb_options.reuse_logs = false;
  leveldb_options.compression = leveldb::kNoCompression;
  leveldb_options.write_buffer_size = options.write_buffer_bytes;
  leveldb_options.max_file_size = options.file_bytes;
  leveldb_options.max_open_files = 100;
  leveldb::DB* raw = nullptr;
  auto status = leveldb::DB::Open(leveldb_options, path_, &raw);
  db_.reset(raw);
  env_.drain_scheduled();
  if (!status.ok()) {
    if (!status.IsIOError()) return finding{verdict::doubtful, status.ToString()};
    auto failure = to_error(status);
    failure.message = "open table " + path_ + ": " + failure.message;
    return failure;
  }
  return check_content(options);
}

// Reads everything once: LevelDB can lose records in the middle without a word, and would serve what is left.
result<table::finding> table::check_content(const table_options& options) {
  auto read = checked_read();
  read.fill_cache = false;
  table_head counted;
  std::optional<table_head> stored;
  std::unique_ptr<leveldb::Iterator> at{db_->NewIterator(read)};
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    auto key = text_of(at->key());
    auto value = text_of(at->value());
    if (key == head_key) {
      auto head = table_head::decode(as_bytes(value));
      if (!head.ok() && head.error().code == ec::unsupported_version) return head.error();
      if (!head.ok()) return finding{verdict::doubtful, head.error().message};
      stored = *head;
    } else if (!key.empty() && key.front() == entry_mark) {
      counted.add(as_bytes(key.substr(1)), as_bytes(value));
    } else {
      return finding{verdict::doubtful, "a key that no table has"};
    }
  }
  auto status = at->status();
  at.reset();
  env_.drain_scheduled();
  if (status.IsIOError()) return to_error(status);
  if (!status.ok()) return finding{verdict::doubtful, status.ToString()};

  head_ = stored.value_or(table_head{});
  counted.applied = head_.applied;
  std::ostringstream why;
  if (counted != head_ && !PESSOA_PLANT("believe_a_table")) {
    why << "its head says " << head_ << ", but there are " << counted;
  } else if (closing_note_ && *closing_note_ != head_) {
    why << "it was closed with " << *closing_note_ << ", and now has " << head_;
  } else if (options.applied_at_least && head_.applied.value_or(INT64_MIN) < *options.applied_at_least) {
    why << "it was known to have reached " << *options.applied_at_least << ", and now has " << head_;
  }
  if (!why.str().empty()) return finding{verdict::doubtful, why.str()};
  return finding{};
}

// -- the closing note ---

result<table::finding> table::read_closing_note() {
  auto data = read_whole_file(env_, closing_note_path(), closing_note_bytes_max);
  if (!data.ok() && data.error().code == ec::not_found) return finding{};
  if (!data.ok() && data.error().code != ec::corrupt_data) return data.error();
  auto note = data.ok() ? table_head::decode(*data) : result<table_head>{data.error()};
  if (!note.ok() && note.error().code == ec::unsupported_version) return note.error();
  if (!note.ok()) return finding{verdict::doubtful, "the closing note: " + note.error().message};
  closing_note_ = *note;
  return finding{};
}

// Before the first write, durably: a note that outlives what it describes would condemn a sound table
// (failures R20).
result<void> table::forget_closing_note() {
  if (!closing_note_) return {};
  PESSOA_CHECK(env_.remove_file(closing_note_path()));
  PESSOA_CHECK(env_.sync_directory(path_));
  closing_note_.reset();
  return {};
}

result<void> table::close() {
  sole_caller here{busy_};
  PESSOA_ASSERT(!closed_);
  closed_ = true;
  if (failed_) return {ec::storage_failed, "table " + path_ + " ended before: " + to_string(*failed_)};
  Status status;
  if (unsynced_) { // the note vouches for these, too
    leveldb::WriteOptions options;
    options.sync = true;
    status = db_->Put(options, head_key, head_.encode());
  }
  env_.drain_scheduled();
  db_.reset();
  env_.drain_scheduled();
  if (!status.ok()) return end_with(to_error(status));
  if (closing_note_) return {}; // nothing was written since it was left
  return replace_file(env_, closing_note_path(), as_bytes(head_.encode()));
}

// -- reading and writing ---

error table::end_with(error why) {
  why.message = "table " + path_ + ": " + why.message;
  failed_ = why;
  return why;
}

// The head as it will be: what each change replaces has to leave the digest.
result<table_head> table::head_after(const table_batch& batch) {
  auto head = head_;
  std::string former;
  for (auto& [key, value] : batch.changes_) {
    auto status = db_->Get(checked_read(), stored_key(key), &former);
    if (!status.ok() && !status.IsNotFound()) return to_error(status);
    if (status.ok()) head.remove(as_bytes(key), as_bytes(former));
    if (value) head.add(as_bytes(key), as_bytes(*value));
  }
  return head;
}

result<void> table::write(const table_batch& batch, int64_t applied, table_sync sync) {
  sole_caller here{busy_};
  PESSOA_ASSERT(!closed_);
  if (failed_) return {ec::storage_failed, "table " + path_ + " ended before: " + to_string(*failed_)};
  PESSOA_ASSERT(!head_.applied || applied > *head_.applied, applied, head_);
  if (!batch.too_large_.empty()) return {ec::invalid_argument, "table " + path_ + ": " + batch.too_large_};
  if (auto forgotten = forget_closing_note(); !forgotten.ok()) return end_with(forgotten.error());
  auto head = head_after(batch);
  env_.drain_scheduled();
  if (!head.ok()) return end_with(head.error());
  head->applied = applied;

  leveldb::WriteBatch changes;
  for (auto& [key, value] : batch.changes_) {
    if (value) {
      changes.Put(stored_key(key), *value);
    } else {
      changes.Delete(stored_key(key));
    }
  }
  changes.Put(head_key, head->encode());
  leveldb::WriteOptions options;
  options.sync = sync == table_sync::now;
  auto status = db_->Write(options, &changes);
  env_.drain_scheduled();
  if (!status.ok()) return end_with(to_error(status));
  head_ = *head;
  unsynced_ = !options.sync;
  return {};
}

result<std::optional<std::string>> table::get(std::string_view key) {
  sole_caller here{busy_};
  PESSOA_ASSERT(!closed_);
  if (failed_) return {ec::storage_failed, "table " + path_ + " ended before: " + to_string(*failed_)};
  std::string value;
  auto status = db_->Get(checked_read(), stored_key(key), &value);
  env_.drain_scheduled(); // reading can ask for a compaction
  if (status.ok()) return std::optional{std::move(value)};
  if (status.IsNotFound()) return std::optional<std::string>{};
  return end_with(to_error(status));
}

result<void> table::scan(std::string_view prefix, const visitor& visit, std::string_view from) {
  sole_caller here{busy_};
  PESSOA_ASSERT(!closed_);
  if (failed_) return {ec::storage_failed, "table " + path_ + " ended before: " + to_string(*failed_)};
  std::unique_ptr<leveldb::Iterator> at{db_->NewIterator(checked_read())};
  auto starts_with_prefix = [&](std::string_view key) { return key.substr(0, prefix.size()) == prefix; };
  for (at->Seek(stored_key(std::max(prefix, from))); at->Valid(); at->Next()) {
    auto key = text_of(at->key());
    if (key.empty() || key.front() != entry_mark || !starts_with_prefix(key.substr(1))) break;
    if (!visit(key.substr(1), text_of(at->value()))) break;
  }
  auto status = at->status();
  at.reset();
  env_.drain_scheduled();
  if (!status.ok()) return end_with(to_error(status));
  return {};
}

} // namespace pessoa::persistence
