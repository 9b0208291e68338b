#include "persistence/segment_index.hpp"

#include "persistence/frame.hpp"
#include "schema/crc32c.hpp"
#include "schema/endian.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

constexpr uint32_t index_magic = 0x58495350; // "PSIX"
constexpr uint16_t index_version = 1;
constexpr size_t header_size = 64;
constexpr size_t mark_at = 48;
constexpr size_t entry_size = 40;

} // namespace

segment_index::segment_index(storage_env& env, std::string path, const partition_key& key, offset base)
    : env_(env), path_(std::move(path)), header_(mark_at) {
  store_le<uint32_t>(header_.data(), index_magic);
  store_le<uint16_t>(header_.data() + 4, index_version);
  store_le<uint16_t>(header_.data() + 6, entry_size);
  store_le<uint64_t>(header_.data() + 8, topic_hash(key.topic));
  store_le<int32_t>(header_.data() + 16, key.index.value());
  store_le<int64_t>(header_.data() + 24, base.value());
  seed_ = crc32c(byte_view{header_}.first(40));
  store_le<uint32_t>(header_.data() + 40, seed_);
}

std::vector<uint8_t> segment_index::encode(const index_entry& entry) const {
  std::vector<uint8_t> out(entry_size);
  store_le<int64_t>(out.data(), entry.at.value());
  store_le<uint64_t>(out.data() + 8, entry.position);
  store_le<int64_t>(out.data() + 16, entry.max_time_before.value());
  store_le<int64_t>(out.data() + 24, entry.max_append_before.value());
  store_le<uint32_t>(out.data() + 32, static_cast<uint32_t>(entry.kind));
  store_le<uint32_t>(out.data() + 36, crc32c(byte_view{out}.first(36), seed_));
  return out;
}

std::optional<index_entry> segment_index::decode(byte_view data) const {
  if (data.size() < entry_size || crc32c(data.first(36), seed_) != load_le<uint32_t>(data.data() + 36))
    return std::nullopt;
  index_entry entry;
  entry.at = offset{load_le<int64_t>(data.data())};
  entry.position = load_le<uint64_t>(data.data() + 8);
  entry.max_time_before = timestamp{load_le<int64_t>(data.data() + 16)};
  entry.max_append_before = timestamp{load_le<int64_t>(data.data() + 24)};
  auto kind = load_le<uint32_t>(data.data() + 32);
  if (kind != 1 && kind != 2) return std::nullopt;
  entry.kind = static_cast<index_kind>(kind);
  return entry;
}

random_file* segment_index::file() {
  if (broken_) return nullptr;
  if (!file_) {
    auto opened = env_.open_file(path_, open_mode::create);
    if (opened.ok())
      file_ = std::move(*opened);
    else
      broken_ = true;
  }
  return file_.get();
}

void segment_index::load() {
  std::lock_guard lock{mutex_};
  load_locked();
}

void segment_index::load_locked() {
  if (loaded_) return;
  loaded_ = true;
  entries_.clear();
  in_file_ = 0;
  auto* f = file();
  auto size = f ? f->size() : result<uint64_t>{0u};
  std::vector<uint8_t> data(size.ok() ? static_cast<size_t>(*size) : 0);
  auto got = f ? f->read_at(0, data.data(), data.size()) : result<size_t>{size_t{0}};
  data.resize(got.ok() ? *got : 0);
  byte_view rest{data};
  if (rest.size() >= mark_at && same_bytes(rest.first(mark_at), header_)) {
    if (rest.size() >= header_size
        && crc32c(rest.subspan(mark_at, 12)) == load_le<uint32_t>(rest.data() + 60))
      mark_ = offset{load_le<int64_t>(rest.data() + mark_at)};
    rest = rest.subspan(std::min(header_size, rest.size()));
    for (; rest.size() >= entry_size; rest = rest.subspan(entry_size)) {
      auto entry = decode(rest);
      bool ascends = entry
                     && (entries_.empty()
                         || (entry->at > entries_.back().at && entry->position > entries_.back().position));
      if (!ascends) break;
      entries_.push_back(*entry);
    }
    damaged_ = stale_ = !rest.empty();
    in_file_ = entries_.size();
  } else {
    damaged_ = !data.empty();
    headless_ = true;
  }
}

// Before anything is written: what does not count is taken from the file. Reading changes nothing.
random_file* segment_index::file_to_write() {
  auto* f = file();
  if (!f) return nullptr;
  bool ready = true;
  if (headless_)
    ready = f->truncate(0).ok() && f->write_at(0, byte_view{header_}).ok();
  else if (stale_)
    ready = f->truncate(header_size + in_file_ * entry_size).ok();
  headless_ = stale_ = false;
  if (ready) return f;
  broken_ = true;
  return nullptr;
}

bool segment_index::usable() const {
  std::lock_guard lock{mutex_};
  return !broken_;
}

bool segment_index::damaged() const {
  std::lock_guard lock{mutex_};
  return damaged_;
}

size_t segment_index::size() {
  std::lock_guard lock{mutex_};
  load_locked();
  return entries_.size();
}

std::vector<index_entry> segment_index::entries() {
  std::lock_guard lock{mutex_};
  load_locked();
  return entries_;
}

std::optional<index_entry> segment_index::find(offset at) {
  std::lock_guard lock{mutex_};
  load_locked();
  auto next = std::upper_bound(entries_.begin(), entries_.end(), at,
                               [](offset wanted, const index_entry& e) { return wanted < e.at; });
  if (next == entries_.begin()) return std::nullopt;
  return *std::prev(next);
}

std::optional<index_entry> segment_index::find_time(timestamp at) {
  std::lock_guard lock{mutex_};
  load_locked();
  auto next =
      std::lower_bound(entries_.begin(), entries_.end(), at,
                       [](const index_entry& e, timestamp wanted) { return e.max_time_before < wanted; });
  if (next == entries_.begin()) return std::nullopt;
  if (next != entries_.end() && PESSOA_PLANT("begin_behind_the_time")) return *next;
  return *std::prev(next);
}

std::optional<index_entry> segment_index::sealed_end() {
  std::lock_guard lock{mutex_};
  if (loaded_) {
    if (!entries_.empty() && entries_.back().kind == index_kind::end) return entries_.back();
    return std::nullopt;
  }
  auto* f = file();
  auto size = f ? f->size() : result<uint64_t>{0u};
  if (!size.ok() || *size < header_size + entry_size) return std::nullopt;
  uint8_t head[mark_at], last[entry_size];
  uint64_t position = header_size + ((*size - header_size) / entry_size - 1) * entry_size;
  auto head_read = f->read_at(0, head, sizeof head);
  auto last_read = f->read_at(position, last, sizeof last);
  if (!head_read.ok() || *head_read != sizeof head || !last_read.ok() || *last_read != sizeof last)
    return std::nullopt;
  if (!same_bytes({head, sizeof head}, header_)) return std::nullopt;
  auto entry = decode({last, sizeof last});
  return entry && entry->kind == index_kind::end ? entry : std::nullopt;
}

void segment_index::add(const index_entry& entry) {
  std::lock_guard lock{mutex_};
  if (!loaded_) load_locked();
  if (!entries_.empty() && entry.at <= entries_.back().at) return;
  entries_.push_back(entry);
  if (entries_.size() - in_file_ >= pending_max) flush_locked();
}

void segment_index::flush() {
  std::lock_guard lock{mutex_};
  flush_locked();
}

void segment_index::flush_locked() {
  if (!loaded_ || in_file_ == entries_.size()) return;
  std::vector<uint8_t> data;
  for (size_t i = in_file_; i < entries_.size(); ++i) {
    auto bytes = encode(entries_[i]);
    data.insert(data.end(), bytes.begin(), bytes.end());
  }
  auto* f = file_to_write();
  if (!f) return;
  auto written = f->write_at(header_size + in_file_ * entry_size, byte_view{data});
  if (written.ok()) {
    in_file_ = entries_.size();
    return;
  }
  if (written.error().code == ec::disk_full) PESSOA_PROBE("no_space_on_index");
  broken_ = true;
}

void segment_index::sync() {
  std::lock_guard lock{mutex_};
  flush_locked();
  auto* f = file();
  if (f && !f->sync().ok()) broken_ = true;
}

void segment_index::drop_unwritten() {
  std::lock_guard lock{mutex_};
  if (loaded_) entries_.resize(in_file_);
}

void segment_index::keep(size_t count) {
  std::lock_guard lock{mutex_};
  load_locked();
  if (count >= entries_.size()) return;
  entries_.resize(count);
  if (in_file_ <= count) return;
  in_file_ = count;
  stale_ = true;
  file_to_write();
}

void segment_index::set_durable_mark(offset end) {
  std::lock_guard lock{mutex_};
  load_locked();
  // What was read need not be on the disk, even if a sync of the file succeeds (failures S8): it is written again.
  if (mark_ == end && mark_written_) return;
  mark_ = end;
  mark_written_ = true;
  uint8_t data[16] = {};
  store_le<int64_t>(data, end.value());
  store_le<uint32_t>(data + 12, crc32c({data, 12}));
  auto* f = file_to_write();
  if (f && !f->write_at(mark_at, byte_view{data, sizeof data}).ok()) broken_ = true;
}

std::optional<offset> segment_index::durable_mark() {
  std::lock_guard lock{mutex_};
  load_locked();
  return mark_;
}

void segment_index::release() {
  std::lock_guard lock{mutex_};
  flush_locked();
  file_.reset();
  if (in_file_ == entries_.size()) { // a broken file's entries stay in memory
    entries_ = {};
    loaded_ = broken_;
    in_file_ = 0;
  }
}

} // namespace pessoa::persistence
