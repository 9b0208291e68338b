#include "persistence/journal_recovery.hpp"

#include "persistence/frame.hpp"
#include "persistence/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

// Do these bytes hold exactly the frames that the record promises?
bool frames_match(byte_view data, const journal_record& record) {
  offset next = record.base;
  for (uint32_t i = 0; i < record.frame_count; ++i) {
    frame_view view;
    if (parse_frame(data, record.key, view) != frame_defect::none || view.header.base != next
        || view.header.generation != record.generation)
      return false;
    next = view.next_offset();
    data = data.subspan(view.header.frame_length);
  }
  return data.empty() && next == record.end;
}

} // namespace

// Reads forward through one file.
class journal_recovery::reader {
public:
  reader(const random_file& file, uint64_t size) : size(size), file_(file) {}

  result<byte_view> at(uint64_t position, uint64_t wanted) {
    wanted = std::min(wanted, size - std::min(size, position));
    if (position < begin_ || position + wanted > begin_ + buffer_.size()) {
      buffer_.resize(
          static_cast<size_t>(std::min<uint64_t>(std::max<uint64_t>(wanted, 1u << 20), size - position)));
      PESSOA_TRY(auto got, file_.read_at(position, buffer_.data(), buffer_.size()));
      buffer_.resize(got);
      begin_ = position;
      wanted = std::min<uint64_t>(wanted, got);
    }
    return byte_view{buffer_}.subspan(static_cast<size_t>(position - begin_), static_cast<size_t>(wanted));
  }
  const uint64_t size;

private:
  const random_file& file_;
  std::vector<uint8_t> buffer_;
  uint64_t begin_ = 0;
};

result<journal_recovery> journal_recovery::read(storage_env& env, std::string directory) {
  journal_recovery found;
  found.env_ = &env;
  found.directory_ = std::move(directory);
  PESSOA_TRY(auto names, env.list_directory(found.directory_));
  for (auto& name : names)
    if (auto number = parse_journal_file_name(name)) found.numbers_.push_back(*number);
  std::sort(found.numbers_.begin(), found.numbers_.end());
  for (size_t i = 0; i < found.numbers_.size(); ++i) {
    // Files go oldest first, each durably: one that is missing between two was not removed by us.
    if (i > 0 && found.numbers_[i] != found.numbers_[i - 1] + 1) found.doubt(found.numbers_[i - 1] + 1, 0);
    // Of all but the newest, the file after says how much was durable.
    std::optional<uint64_t> durable;
    if (i + 1 < found.numbers_.size()) {
      PESSOA_TRY(auto after, found.read_header(found.numbers_[i + 1]));
      if (after) durable = after->previous_bytes;
    }
    PESSOA_CHECK(found.read_file(found.numbers_[i], durable));
  }
  if (!found.numbers_.empty()) found.next_number_ = found.numbers_.back() + 1;
  return found;
}

void journal_recovery::doubt(uint64_t number, uint64_t position) {
  if (!damage_)
    damage_ = path(number) + " is damaged at byte " + std::to_string(position)
              + ", and it cannot be told whose records were there";
}

void journal_recovery::accept(const journal_record& record, uint64_t number, uint64_t position) {
  if (record.kind == journal_kind::forget) {
    places_.erase(record.key);
    lost_.erase(record.key);
    return;
  }
  places_[record.key].push_back({number, position + journal_record_header_size,
                                 record.length - static_cast<uint32_t>(journal_record_header_size),
                                 record.generation});
}

result<std::optional<journal_file_header>> journal_recovery::read_header(uint64_t number) const {
  PESSOA_TRY(auto file, env_->open_file(path(number), open_mode::read));
  uint8_t data[journal_file_header_size];
  PESSOA_TRY(auto got, file->read_at(0, data, sizeof data));
  return parse_journal_file_header({data, got}, number);
}

result<void> journal_recovery::read_file(uint64_t number, std::optional<uint64_t> durable_bytes) {
  PESSOA_TRY(auto file, env_->open_file(path(number), open_mode::read));
  PESSOA_TRY(auto size, file->size());
  bytes_ += size;
  reader in{*file, size};
  PESSOA_TRY(auto head, in.at(0, journal_file_header_size));
  if (is_newer_journal_version(head))
    return error{ec::unsupported_version, path(number) + " was written by a newer version"};
  auto header = parse_journal_file_header(head, number);
  uint64_t durable = durable_bytes.value_or(0);
  bool linked = header.has_value(); // the CRC of what came before is known
  uint32_t previous = header ? header->crc : 0;
  uint64_t position = journal_file_header_size;
  newest_bytes_ = 0;

  // The furthest durable position that any record header from here on claims.
  auto claims = [&](uint64_t from) -> result<void> {
    for (uint64_t at = from; at + journal_record_header_size <= size;) {
      PESSOA_TRY(auto view, in.at(at, 1u << 20));
      uint64_t i = 0;
      for (; i + journal_record_header_size <= view.size(); i += 8)
        if (auto r = parse_journal_record(view.subspan(i), number))
          durable = std::max(durable, r->durable_bytes);
      if (i == 0) break;
      at += i;
    }
    return {};
  };
  if (!header) {
    PESSOA_CHECK(claims(0));
    if (durable == 0) return {}; // its creation was cut short
    doubt(number, 0);
  }
  bool asked = false;
  while (position < size) {
    PESSOA_TRY(auto data, in.at(position, journal_record_header_size));
    auto record = parse_journal_record(data, number);
    bool chained =
        record && (!linked || record->previous_crc == previous || PESSOA_PLANT("skip_previous_crc"));
    bool whole = chained && record->length <= size - position;
    if (whole) {
      PESSOA_TRY(auto frames,
                 in.at(position + journal_record_header_size, record->length - journal_record_header_size));
      whole = frames_match(frames, *record);
    }
    if (whole) {
      durable = std::max(durable, record->durable_bytes);
      accept(*record, number, position);
      previous = record->crc;
      linked = true;
      position += record->length;
      newest_bytes_ = position;
      continue;
    }
    if (!asked) PESSOA_CHECK(claims(position));
    asked = true;
    if (durable <= position) return {}; // a torn tail: nobody was told that this was safe
    if (chained) {                      // the header is whole, so it is known whose frames are damaged
      if (record->kind == journal_kind::frames)
        lost_[record->key].push_back({record->generation, record->end});
      previous = record->crc;
      position += record->length;
      continue;
    }
    doubt(number, position);
    linked = false;
    do
      position += 8;
    while (position < size && [&] {
      auto next = in.at(position, journal_record_header_size);
      return next.ok() && !parse_journal_record(*next, number);
    }());
  }
  return {};
}

journal_frames journal_recovery::take(const partition_key& key) {
  journal_frames frames;
  if (!taken_.insert(key).second) return frames;
  frames.damage = damage_;
  if (auto lost = lost_.find(key); lost != lost_.end()) frames.lost = lost->second;
  if (auto found = places_.find(key); found != places_.end())
    for (auto& place : found->second)
      if (auto read = read_frames(key, place, frames); !read.ok()) {
        frames.damage = read.error().message;
        break;
      }
  return frames;
}

result<void> journal_recovery::read_frames(const partition_key& key, const place& at,
                                           journal_frames& into) const {
  PESSOA_TRY(auto file, env_->open_file(path(at.number), open_mode::read));
  std::vector<uint8_t> data(at.length);
  PESSOA_TRY(auto got, file->read_at(at.position, data.data(), data.size()));
  auto all = bytes::take(std::move(data));
  for (size_t next = 0; next < got;) {
    frame_view view;
    if (parse_frame(all.view().subspan(next), key, view) != frame_defect::none)
      return error{ec::corrupt_data, path(at.number) + " changed while it was read, at byte "
                                         + std::to_string(at.position + next)};
    into.entries.push_back(
        {{all.slice(next + frame_header_size, view.header.batch_length), view.header.append_time},
         view.header.generation});
    next += view.header.frame_length;
  }
  return {};
}

result<void> journal_recovery::remove() {
  // Oldest first and each durably: a later file may say that an earlier one's frames are to be forgotten.
  while (!numbers_.empty()) {
    PESSOA_CHECK(env_->remove_file(path(numbers_.front())));
    PESSOA_CHECK(env_->sync_directory(directory_));
    numbers_.erase(numbers_.begin());
  }
  places_.clear();
  lost_.clear();
  damage_.reset();
  return {};
}

} // namespace pessoa::persistence
