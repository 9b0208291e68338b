// LevelDB's view of the disk, built from ours. One piece of code for every implementation, so that what the
// simulator tests is what production runs.
#include "persistence/storage_env.hpp"

#include <optional>

namespace pessoa::persistence {

namespace {

using leveldb::Slice;
using leveldb::Status;

constexpr size_t write_buffer_bytes = 64 * 1024;

Status to_status(const error& e) {
  return e.code == ec::not_found ? Status::NotFound(e.message) : Status::IOError(to_string(e));
}
Status to_status(const result<void>& done) { return done.ok() ? Status::OK() : to_status(done.error()); }

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

Status read_into(const random_file& file, uint64_t position, size_t n, Slice* out, char* scratch) {
  *out = Slice{};
  auto count = file.read_at(position, reinterpret_cast<uint8_t*>(scratch), n);
  if (!count.ok()) return to_status(count.error());
  *out = Slice{scratch, *count};
  return Status::OK();
}

class sequential_view final : public leveldb::SequentialFile {
public:
  explicit sequential_view(std::unique_ptr<random_file> file) : file_(std::move(file)) {}

  Status Read(size_t n, Slice* out, char* scratch) override {
    auto status = read_into(*file_, position_, n, out, scratch);
    position_ += out->size();
    return status;
  }
  Status Skip(uint64_t n) override {
    auto size = file_->size();
    if (!size.ok()) return to_status(size.error());
    position_ += std::min(n, *size - std::min(*size, position_));
    return Status::OK();
  }

private:
  std::unique_ptr<random_file> file_;
  uint64_t position_ = 0;
};

class random_access_view final : public leveldb::RandomAccessFile {
public:
  explicit random_access_view(std::unique_ptr<random_file> file) : file_(std::move(file)) {}

  Status Read(uint64_t position, size_t n, Slice* out, char* scratch) const override {
    return read_into(*file_, position, n, out, scratch);
  }

private:
  std::unique_ptr<random_file> file_;
};

// Appends through a buffer, as LevelDB expects of its files.
class appending_view final : public leveldb::WritableFile {
public:
  appending_view(storage_env& env, std::string path, std::unique_ptr<random_file> file, uint64_t end,
                 leveldb_care care)
      : env_(env), path_(std::move(path)), file_(std::move(file)), end_(end), care_(care) {}
  ~appending_view() override { Close(); }

  Status Append(const Slice& data) override {
    if (failed_) return *failed_;
    if (buffer_.size() + data.size() > write_buffer_bytes) {
      auto status = Flush();
      if (!status.ok()) return status;
    }
    if (data.size() > write_buffer_bytes) return write(as_bytes({data.data(), data.size()}));
    buffer_.append(data.data(), data.size());
    return Status::OK();
  }
  Status Flush() override {
    if (failed_) return *failed_;
    if (buffer_.empty()) return Status::OK();
    auto status = write(as_bytes(buffer_));
    buffer_.clear();
    return status;
  }
  Status Sync() override {
    if (failed_) return *failed_;
    // The tables that a MANIFEST names must be there by name before it is.
    if (parent_names_matter())
      if (auto named = env_.sync_directory(parent_directory(path_)); !named.ok())
        return remember(to_status(named));
    auto status = Flush();
    if (!status.ok()) return status;
    auto synced = file_->sync();
    return synced.ok() ? Status::OK() : remember(to_status(synced));
  }
  Status Close() override {
    if (!file_) return Status::OK();
    auto status = failed_ ? *failed_ : Flush();
    file_.reset();
    return status;
  }

private:
  bool parent_names_matter() const {
    auto slash = path_.find_last_of('/');
    return path_.compare(slash == std::string::npos ? 0 : slash + 1, 8, "MANIFEST") == 0;
  }
  Status write(byte_view data) {
    auto written = file_->write_at(end_, data);
    if (written.ok()) {
      end_ += data.size();
      return Status::OK();
    }
    if (auto size = file_->size(); size.ok()) end_ = *size;
    return remember(to_status(written));
  }
  // LevelDB's log writer counts a failed append as done and goes on behind it, where no reader looks (S1). So
  // a file that failed once refuses everything from then on.
  Status remember(Status status) {
    if (care_ == leveldb_care::ours) failed_ = status;
    return status;
  }

  storage_env& env_;
  std::string path_;
  std::unique_ptr<random_file> file_;
  uint64_t end_;
  leveldb_care care_;
  std::string buffer_;
  std::optional<Status> failed_;
};

class held_lock final : public leveldb::FileLock {
public:
  explicit held_lock(std::unique_ptr<storage_env::lock> held) : held_(std::move(held)) {}

private:
  std::unique_ptr<storage_env::lock> held_;
};

class silent_logger final : public leveldb::Logger {
public:
  void Logv(const char*, std::va_list) override {}
};

} // namespace

error to_error(const Status& status) {
  auto text = status.ToString();
  auto mentions = [&](ec code) {
    return text.find(std::string{describe(code).name} + ": ") != std::string::npos;
  };
  if (status.IsNotFound()) return {ec::not_found, text};
  if (status.IsCorruption()) return {ec::corrupt_data, text};
  for (auto code : {ec::disk_full, ec::directory_in_use}) // put there by to_status
    if (mentions(code)) return {code, text};
  return {ec::storage_failed, text};
}

Status storage_env::NewSequentialFile(const std::string& path, leveldb::SequentialFile** out) {
  *out = nullptr;
  auto file = open_file(path, open_mode::read);
  if (!file.ok()) return to_status(file.error());
  *out = new sequential_view(std::move(*file));
  return Status::OK();
}

Status storage_env::NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** out) {
  *out = nullptr;
  auto file = open_file(path, open_mode::read);
  if (!file.ok()) return to_status(file.error());
  *out = new random_access_view(std::move(*file));
  return Status::OK();
}

Status storage_env::NewWritableFile(const std::string& path, leveldb::WritableFile** out) {
  *out = nullptr;
  auto file = open_file(path, open_mode::create);
  if (!file.ok()) return to_status(file.error());
  if (auto emptied = (*file)->truncate(0); !emptied.ok()) return to_status(emptied);
  if (care_ == leveldb_care::ours && ends_with(path, ".log"))
    if (auto named = sync_directory(parent_directory(path)); !named.ok()) return to_status(named);
  *out = new appending_view(*this, path, std::move(*file), 0, care_);
  return Status::OK();
}

Status storage_env::NewAppendableFile(const std::string& path, leveldb::WritableFile** out) {
  *out = nullptr;
  auto file = open_file(path, open_mode::create);
  if (!file.ok()) return to_status(file.error());
  auto end = (*file)->size();
  if (!end.ok()) return to_status(end.error());
  *out = new appending_view(*this, path, std::move(*file), *end, care_);
  return Status::OK();
}

Status storage_env::GetChildren(const std::string& path, std::vector<std::string>* out) {
  out->clear();
  auto names = list_directory(path);
  if (!names.ok()) return to_status(names.error());
  *out = std::move(*names);
  return Status::OK();
}

Status storage_env::RemoveFile(const std::string& path) {
  bool is_manifest = path.rfind("/MANIFEST-") != std::string::npos;
  if (is_manifest && may_be_named(parent_directory(path))) return Status::OK();
  return to_status(remove_file(path));
}

bool storage_env::may_be_named(const std::string& directory) {
  std::lock_guard lock{mutex_};
  return unnamed_.count(directory) > 0;
}
Status storage_env::CreateDir(const std::string& path) { return to_status(create_directories(path)); }

Status storage_env::RemoveDir(const std::string& path) {
  auto names = list_directory(path);
  if (!names.ok()) return to_status(names.error());
  if (!names->empty()) return Status::IOError(path, "directory not empty");
  return to_status(remove_tree(path));
}

Status storage_env::GetFileSize(const std::string& path, uint64_t* out) {
  *out = 0;
  auto file = open_file(path, open_mode::read);
  if (!file.ok()) return to_status(file.error());
  auto size = (*file)->size();
  if (!size.ok()) return to_status(size.error());
  *out = *size;
  return Status::OK();
}

Status storage_env::RenameFile(const std::string& from, const std::string& to) {
  if (auto renamed = rename(from, to); !renamed.ok()) return to_status(renamed);
  if (care_ != leveldb_care::ours || !ends_with(to, "/CURRENT")) return Status::OK();
  // When this fails, LevelDB takes the new manifest away, although CURRENT names it by now: a whole table would be gone.
  auto directory = parent_directory(to);
  auto synced = sync_directory(directory);
  std::lock_guard lock{mutex_};
  if (synced.ok())
    unnamed_.erase(directory);
  else
    unnamed_.insert(directory);
  return to_status(synced);
}

Status storage_env::LockFile(const std::string& path, leveldb::FileLock** out) {
  *out = nullptr;
  auto held = lock_exclusively(path);
  if (!held.ok()) return to_status(held.error());
  *out = new held_lock(std::move(*held));
  return Status::OK();
}

Status storage_env::UnlockFile(leveldb::FileLock* held) {
  delete held;
  return Status::OK();
}

Status storage_env::NewLogger(const std::string&, leveldb::Logger** out) {
  *out = new silent_logger;
  return Status::OK();
}

} // namespace pessoa::persistence
