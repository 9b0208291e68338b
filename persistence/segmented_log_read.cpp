// Reading by offset and by time: one read of a chunk into one buffer, every checksum verified, the batches
// moved together over the frame headers.
#include "persistence/segmented_log.hpp"

#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

// -- facts ---

offset segmented_log::log_start() const {
  std::lock_guard lock{facts_};
  return state_.log_start;
}
offset segmented_log::log_end() const {
  std::lock_guard lock{facts_};
  return log_end_;
}
offset segmented_log::durable_end() const {
  std::lock_guard lock{facts_};
  return durable_end_;
}
uint64_t segmented_log::generation() const {
  std::lock_guard lock{facts_};
  return state_.generation;
}
leader_epoch segmented_log::last_epoch() const {
  std::lock_guard lock{facts_};
  return epochs_.last();
}
std::vector<epoch_start> segmented_log::lineage() const {
  std::lock_guard lock{facts_};
  return epochs_.starts();
}
std::pair<leader_epoch, offset> segmented_log::end_of_epoch(leader_epoch epoch) const {
  std::lock_guard lock{facts_};
  return epochs_.end_of(epoch, log_end_);
}
producer_table segmented_log::producers() const {
  std::lock_guard lock{facts_};
  return producers_;
}
uint64_t segmented_log::size_bytes() const {
  std::lock_guard lock{facts_};
  uint64_t size = 0;
  for (auto& r : runs_)
    size += r.facts.size;
  return size;
}
size_t segmented_log::segment_count() const {
  std::lock_guard lock{facts_};
  return runs_.size();
}
std::optional<error> segmented_log::failed() const {
  std::lock_guard lock{facts_};
  return failed_;
}
bool segmented_log::may_use_reserve() const {
  std::lock_guard lock{facts_};
  return settings_.may_use_reserve;
}

// -- finding a place ---

namespace {

// Index entries are a settings' interval apart, the frames of one write may be longer.
constexpr size_t read_ahead_min = 64u << 10;

std::shared_ptr<uint8_t[]> buffer_of(size_t size) { return std::shared_ptr<uint8_t[]>(new uint8_t[size]); }

} // namespace

std::optional<uint64_t> segmented_log::hinted(offset from, offset base) const {
  std::lock_guard lock{hints_};
  for (auto& h : read_hints_)
    if (h.next == from && h.base == base) return h.position;
  return std::nullopt;
}

// Remembers where a reader that goes on will begin, so that consumers in sequence never search.
void segmented_log::hint(offset next, offset base, uint64_t position) const {
  std::lock_guard lock{hints_};
  for (auto& h : read_hints_)
    if (h.next == next && h.base == base) return;
  read_hints_[next_hint_++ % read_hints_.size()] = {next, base, position};
}

// Of the sealed segments only the one read last stays open.
void segmented_log::keep_few_open(const spot& used) const {
  if (used.active) return;
  std::shared_ptr<segment> previous;
  {
    std::lock_guard lock{hints_};
    previous = open_sealed_.lock();
    open_sealed_ = used.file;
  }
  if (previous && previous != used.file) previous->release();
}

result<segmented_log::spot> segmented_log::locate(offset from) const {
  spot at;
  {
    std::lock_guard lock{facts_};
    if (from < state_.log_start || from > log_end_)
      return error{ec::offset_out_of_range, named() + ": offset " + std::to_string(from.value())
                                                + " is not in " + std::to_string(state_.log_start.value())
                                                + " to " + std::to_string(log_end_.value())};
    auto next = std::upper_bound(runs_.begin(), runs_.end(), from,
                                 [](offset wanted, const run& r) { return wanted < r.file->base(); });
    if (next == runs_.begin())
      return error{ec::corrupt_data, named() + ": offset " + std::to_string(from.value()) + " was lost"};
    auto& found = *std::prev(next);
    at = {found.file, found.facts, 0, next == runs_.end()};
  }
  if (from >= at.facts.end)
    return error{ec::corrupt_data, named() + ": offset " + std::to_string(from.value()) + " was lost"};
  if (auto position = hinted(from, at.file->base())) {
    at.position = *position;
    return at;
  }
  PESSOA_TRY(auto file, at.file->file());
  if (auto entry = at.file->index().find(from); entry && entry->position < at.facts.size) {
    uint8_t head[frame_head_size];
    PESSOA_TRY(auto got, file->read_at(entry->position, head, sizeof head));
    frame_view view;
    if (parse_frame_head({head, got}, key_, view) == frame_defect::none && view.header.base == entry->at)
      at.position = entry->position;
  }
  return at;
}

// -- read ---

result<read_batches> segmented_log::read(offset from, offset limit, size_t bytes_max) const {
  std::shared_lock shape{shape_};
  {
    std::lock_guard lock{facts_};
    limit = std::min(limit, log_end_);
    if (from >= state_.log_start && from >= limit && from <= log_end_) return read_batches{{}, from, from};
  }
  PESSOA_TRY(auto at, locate(from));
  PESSOA_TRY(auto file, at.file->file());
  auto damaged = [&](uint64_t position, frame_defect defect) {
    return error{ec::corrupt_data, at.file->path() + " is damaged at byte " + std::to_string(position) + ": "
                                       + to_string(defect)};
  };
  auto left = at.facts.size - at.position;
  auto wanted =
      static_cast<size_t>(std::min<uint64_t>(left, std::max(bytes_max, read_ahead_min) + frame_head_size));
  auto buffer = buffer_of(wanted);
  uint64_t begin = at.position; // of the buffer in the file
  PESSOA_TRY(auto have, file->read_at(begin, buffer.get(), wanted));
  read_batches out{{}, from, from};
  size_t in = 0, packed = 0; // read so far, and kept at the front
  bool crosses = false;      // the batch asked for ends above the limit
  std::optional<offset> expected;
  for (;;) {
    auto position = begin + in;
    if (position >= at.facts.size) break;
    byte_view rest{buffer.get() + in, have - in};
    frame_view view;
    auto defect = parse_frame_head(rest, key_, view);
    bool more = defect == frame_defect::incomplete
                || (defect == frame_defect::none && rest.size() < view.header.frame_length);
    if (more && packed > 0) break; // what is cut off belongs to the next read
    if (more) {
      // Nothing was kept yet: go on from here with a buffer that holds at least this frame.
      auto size = defect == frame_defect::none ? std::max<size_t>(view.header.frame_length, wanted) : wanted;
      size = static_cast<size_t>(std::min<uint64_t>(size, at.facts.size - position));
      if (size <= rest.size()) return damaged(position, frame_defect::incomplete);
      buffer = buffer_of(size);
      begin = position;
      in = 0;
      PESSOA_TRY(have, file->read_at(begin, buffer.get(), size));
      if (have < size) return damaged(position, frame_defect::incomplete);
      continue;
    }
    if (defect == frame_defect::none && expected && view.header.base != *expected)
      defect = frame_defect::wrong_offset;
    if (defect != frame_defect::none) {
      if (packed > 0) break; // the reader gets what is whole, and the error when it comes back
      return damaged(position, defect);
    }
    expected = view.next_offset();
    if (view.next_offset() <= from) { // between the index entry and the place asked for
      in += view.header.frame_length;
      continue;
    }
    bool enough = view.next_offset() > limit || packed + view.header.batch_length > bytes_max;
    if (packed > 0 && enough) break;
    // Only now is the batch's count of records to be believed, too.
    defect = parse_frame(rest.first(view.header.frame_length), key_, view);
    if (defect != frame_defect::none) {
      if (packed > 0) break;
      return damaged(position, defect);
    }
    if (view.next_offset() > at.facts.end) {
      if (packed > 0) break;
      return damaged(position, frame_defect::wrong_offset);
    }
    if (view.next_offset() > limit) {
      crosses = true;
      break;
    }
    if (packed == 0) {
      if (view.header.base > from) return damaged(position, frame_defect::wrong_offset);
      out.first = view.header.base;
    }
    std::memmove(buffer.get() + packed, rest.data() + frame_header_size, view.header.batch_length);
    packed += view.header.batch_length;
    in += view.header.frame_length;
    out.next = view.next_offset();
  }
  // The segment ends before the place that it is said to reach.
  if (packed == 0 && !crosses) return damaged(begin + in, frame_defect::wrong_offset);
  if (packed > 0) {
    // A little of a large buffer would keep all of it alive.
    out.data =
        packed * 4 < wanted ? bytes::copy({buffer.get(), packed}) : bytes{buffer, {buffer.get(), packed}};
    hint(out.next, at.file->base(), begin + in);
  }
  keep_few_open(at);
  return out;
}

// -- by time ---

result<std::optional<partition_log::time_position>> segmented_log::offset_for_time(timestamp at,
                                                                                   offset limit) const {
  std::shared_lock shape{shape_};
  std::vector<run> runs;
  offset start;
  {
    std::lock_guard lock{facts_};
    runs = runs_;
    start = state_.log_start;
    limit = std::min(limit, log_end_);
  }
  for (auto& r : runs) {
    if (r.facts.max_time < at || r.facts.end <= start) continue;
    if (r.file->base() >= limit) break;
    PESSOA_TRY(auto file, r.file->file());
    walk_start from{0, r.file->base(), std::nullopt};
    if (auto entry = r.file->index().find_time(at); entry && entry->kind == index_kind::frame) {
      uint8_t head[frame_head_size];
      PESSOA_TRY(auto got, file->read_at(entry->position, head, sizeof head));
      frame_view view;
      if (parse_frame_head({head, got}, key_, view) == frame_defect::none && view.header.base == entry->at)
        from = {entry->position, entry->at, std::nullopt};
    }
    std::optional<time_position> found;
    std::optional<uint64_t> candidate;
    auto pass = [&](const frame_view& view, uint64_t position, byte_view) {
      if (view.header.base >= limit) return false;
      if (view.batch.max_timestamp >= at && view.next_offset() > start) candidate = position;
      return !candidate;
    };
    // From batch to batch: a header may promise a time that only a record below the log start has.
    for (;;) {
      candidate.reset();
      PESSOA_TRY(auto walked, walk_frames(*file, key_, from, r.facts.size, walk_depth::heads, pass));
      if (!candidate) {
        if (walked.position < r.facts.size && walked.defect != frame_defect::none)
          return error{ec::corrupt_data, r.file->path() + " is damaged at byte "
                                             + std::to_string(walked.position) + ": "
                                             + to_string(walked.defect)};
        break;
      }
      auto base = *walked.next;
      auto take = [&](const frame_view& view, uint64_t, byte_view frame) {
        if (view.header.base != base) return false;
        auto reader = batch_reader::open(frame.subspan(frame_header_size, view.header.batch_length));
        while (reader.ok()) {
          auto entry = reader->next();
          if (!entry.ok() || !*entry) break;
          if ((*entry)->record.time < at || (*entry)->at < start || (*entry)->at >= limit) continue;
          found = time_position{(*entry)->at, (*entry)->record.time, view.header.epoch};
          if (PESSOA_PLANT("answer_with_the_batch")) found->at = base;
          break;
        }
        return true;
      };
      walk_start one{*candidate, base, std::nullopt};
      PESSOA_TRY(auto head_end, walk_frames(*file, key_, one, r.facts.size, walk_depth::whole, take));
      if (found) return std::optional<time_position>{found};
      if (head_end.position <= *candidate)
        return error{ec::corrupt_data, r.file->path() + " is damaged at byte " + std::to_string(*candidate)
                                           + ": " + to_string(head_end.defect)};
      from = {head_end.position, head_end.next, std::nullopt};
    }
    keep_few_open({r.file, r.facts, 0, &r == &runs.back()});
  }
  return std::optional<time_position>{};
}

} // namespace pessoa::persistence
