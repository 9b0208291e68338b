#include "persistence/journal_recovery.hpp"

#include "persistence/frame.hpp"
#include "persistence/read_window.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

// The frames in these bytes, if they are exactly those that the record's header, or its place, promised.
template <class Promise>
std::optional<std::vector<frame_view>> frames_in(byte_view data, const partition_key& key,
                                                 const Promise& promised) {
  std::vector<frame_view> found;
  auto next = promised.base;
  while (!data.empty()) {
    frame_view view;
    if (parse_frame(data, key, view) != frame_defect::none || view.header.base != next
        || view.header.generation != promised.generation)
      return std::nullopt;
    next = view.next_offset();
    data = data.subspan(view.header.frame_length);
    found.push_back(view);
  }
  if (next != promised.end || found.size() != promised.frame_count) return std::nullopt;
  return found;
}

constexpr size_t claims_chunk = 1u << 20;

uint64_t series_of(uint64_t number) { return number / journal_series_files; }

// Whether `next` was begun when `number` was the newest: the one after it, or the first of the next series.
bool follows(uint64_t next, uint64_t number) {
  return next == number + 1 || next == (series_of(number) + 1) * journal_series_files;
}

} // namespace

result<journal_recovery> journal_recovery::read(storage_env& env, std::string directory) {
  journal_recovery found;
  found.env_ = &env;
  found.directory_ = std::move(directory);
  PESSOA_TRY(auto names, env.list_directory(found.directory_));
  for (auto& name : names)
    if (auto number = parse_journal_file_name(name)) found.numbers_.push_back(*number);
  std::sort(found.numbers_.begin(), found.numbers_.end());
  for (size_t i = 0; i < found.numbers_.size(); ++i) {
    // Files of a series go oldest first, each durably: one that is missing between two of it was not removed by us.
    bool new_series = i > 0 && series_of(found.numbers_[i]) != series_of(found.numbers_[i - 1]);
    if (PESSOA_PLANT("one_series_of_journals")) new_series = false;
    if (i > 0 && !new_series && found.numbers_[i] != found.numbers_[i - 1] + 1)
      found.doubt(found.numbers_[i - 1] + 1, 0);
    // Of all but the newest, the file after says how much was durable, if it was begun after this one.
    std::optional<uint64_t> durable;
    if (i + 1 < found.numbers_.size() && follows(found.numbers_[i + 1], found.numbers_[i])) {
      PESSOA_TRY(auto after, found.read_header(found.numbers_[i + 1]));
      if (after) durable = after->previous_bytes;
    }
    PESSOA_CHECK(found.read_file(found.numbers_[i], durable));
  }
  if (!found.numbers_.empty())
    found.next_number_ = (series_of(found.numbers_.back()) + 1) * journal_series_files;
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
                                 record.frame_count, record.generation, record.base, record.end});
}

result<random_file*> journal_recovery::file(uint64_t number) {
  auto& open = files_[number];
  if (!open) {
    PESSOA_TRY(open, env_->open_file(path(number), open_mode::read));
  }
  return open.get();
}

result<std::optional<journal_file_header>> journal_recovery::read_header(uint64_t number) {
  PESSOA_TRY(auto from, file(number));
  uint8_t data[journal_file_header_size];
  PESSOA_TRY(auto got, from->read_at(0, data, sizeof data));
  return parse_journal_file_header({data, got}, number);
}

result<void> journal_recovery::read_file(uint64_t number, std::optional<uint64_t> durable_bytes) {
  PESSOA_TRY(auto from, file(number));
  PESSOA_TRY(auto size, from->size());
  bytes_ += size;
  read_window in{*from, size};
  auto header_at = [&](uint64_t position) {
    return in.at(position, journal_record_header_size, journal_record_header_size);
  };
  PESSOA_TRY(auto head, in.at(0, journal_file_header_size, journal_file_header_size));
  if (is_newer_journal_version(head))
    return error{ec::unsupported_version, path(number) + " was written by a newer version"};
  auto header = parse_journal_file_header(head, number);
  uint64_t durable = durable_bytes.value_or(0);
  bool linked = header.has_value(); // the CRC of what came before is known
  uint32_t previous = header ? header->crc : 0;
  uint64_t position = journal_file_header_size;
  newest_bytes_ = 0;

  // The furthest durable position that any record header from here on claims.
  auto claims = [&](uint64_t at) -> result<void> {
    while (at + journal_record_header_size <= size) {
      PESSOA_TRY(auto view, in.at(at, claims_chunk, claims_chunk));
      uint64_t i = 0;
      for (; i + journal_record_header_size <= view.size(); i += 8)
        if (auto r = parse_journal_record(view.subspan(i), number))
          durable = std::max(durable, r->durable_bytes);
      if (i == 0) break;
      at += i;
    }
    return {};
  };
  // Records that nothing has called durable yet: with whole headers, and the place for all their frames.
  std::vector<std::pair<journal_record, uint64_t>> open_round;
  auto accept_durable = [&] {
    auto known = open_round.begin();
    for (; known != open_round.end() && known->second < durable; ++known) {
      accept(known->first, number, known->second);
      newest_bytes_ = known->second + known->first.length;
    }
    open_round.erase(open_round.begin(), known);
  };
  // False when the journal ends in them: nobody was told that this was safe.
  auto verify_rest = [&]() -> result<bool> {
    accept_durable();
    for (auto& [record, at] : open_round) {
      auto length = static_cast<size_t>(record.length - journal_record_header_size);
      PESSOA_TRY(auto data, in.at(at + journal_record_header_size, length, claims_chunk));
      auto frames = frames_in(data, record.key, record);
      if (data.size() != length || !frames) return false;
      accept(record, number, at); // not into newest_bytes_: that it can be read does not make it durable
    }
    open_round.clear();
    return true;
  };
  if (!header) {
    PESSOA_CHECK(claims(0));
    if (durable == 0) return {}; // its creation was cut short
    doubt(number, 0);
  }
  bool asked = false;
  while (position < size) {
    PESSOA_TRY(auto data, header_at(position));
    auto record = parse_journal_record(data, number);
    bool chained =
        record && (!linked || record->previous_crc == previous || PESSOA_PLANT("skip_previous_crc"));
    if (chained && record->length <= size - position) {
      durable = std::max(durable, record->durable_bytes);
      accept_durable();
      open_round.emplace_back(*record, position);
      previous = record->crc;
      linked = true;
      position += record->length;
      continue;
    }
    if (!asked) PESSOA_CHECK(claims(position));
    asked = true;
    PESSOA_TRY(auto goes_on, verify_rest());
    if (!goes_on || durable <= position) return {};
    if (chained) { // the header is whole, so it is known whose frames are damaged
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
      auto next = header_at(position);
      return next.ok() && !parse_journal_record(*next, number);
    }());
  }
  PESSOA_TRY([[maybe_unused]] auto whole, verify_rest());
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

result<void> journal_recovery::read_frames(const partition_key& key, const place& at, journal_frames& into) {
  PESSOA_TRY(auto from, file(at.number));
  std::vector<uint8_t> data(at.length);
  PESSOA_TRY(auto got, from->read_at(at.position, data.data(), data.size()));
  data.resize(got);
  auto all = bytes::take(std::move(data));
  auto frames = frames_in(all, key, at);
  if (got != at.length || !frames) {
    into.lost.push_back({at.generation, at.end});
    return {};
  }
  size_t next = 0;
  for (auto& view : *frames) {
    into.entries.push_back({{all.slice(next + frame_header_size, view.header.batch_length),
                             view.header.append_time, view.header.durable_end},
                            view.header.generation});
    next += view.header.frame_length;
  }
  return {};
}

result<void> journal_recovery::remove() {
  files_.clear();
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
