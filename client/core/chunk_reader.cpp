#include "client/core/chunk_reader.hpp"

#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::client {

namespace {

std::optional<std::string_view> view_of(const std::optional<byte_view>& part) {
  if (!part) return std::nullopt;
  return as_text(*part);
}

} // namespace

result<void> chunk_reader::open_next() {
  auto rest = chunk_->data.view().subspan(rest_begin_);
  auto where = to_string(chunk_->at) + " at offset " + std::to_string(position_) + ": ";
  auto named = [&](pessoa::error e) {
    e.message = where + e.message;
    return e;
  };
  auto parsed = parse_batch_header(rest);
  if (!parsed.ok()) return named(parsed.error());
  auto& header = *parsed;
  if (header.size() > rest.size()) return {ec::corrupt_message, where + "the batch is cut off"};
  auto whole = rest.first(header.size());
  if (!batch_crc_matches(whole)) return {ec::corrupt_message, where + "the batch's checksum is wrong"};
  if (header.base_offset < offset{0} || header.last_offset_delta < 0
      || header.base_offset.value() > INT64_MAX - 1 - header.last_offset_delta)
    return {ec::invalid_record, where + "the batch's offsets make no sense"};
  auto end = header.next_offset().value();
  rest_begin_ += whole.size();
  // Behind the position already, or nothing for people: only its place counts.
  if (end <= position_) return {};
  if (header.control() || header.record_count == 0) {
    position_ = end;
    return {};
  }
  auto opened = batch_reader::open(whole);
  if (!opened.ok()) {
    rest_begin_ -= whole.size();
    return named(opened.error());
  }
  batch_ = std::make_shared<batch_reader>(std::move(*opened));
  batch_end_ = end;
  return {};
}

result<void> chunk_reader::read(size_t max, std::vector<received>& out,
                                std::vector<std::shared_ptr<const void>>& owners) {
  size_t count = 0;
  auto own = [&](std::shared_ptr<const void> owner) {
    if (owners.empty() || owners.back() != owner) owners.push_back(std::move(owner));
  };
  own(chunk_);
  while (count < max && !done()) {
    if (!batch_) {
      PESSOA_CHECK(open_next());
      continue;
    }
    auto next = batch_->next();
    if (!next.ok()) {
      pessoa::error e = next.error();
      e.message = to_string(chunk_->at) + " at offset " + std::to_string(position_) + ": " + e.message;
      return e;
    }
    if (!*next) {
      position_ = std::max(position_, batch_end_);
      batch_ = nullptr;
      continue;
    }
    auto& entry = **next;
    if (entry.at.value() < position_ && !PESSOA_PLANT("batch_from_its_start"))
      continue; // the batch begins before the place that was asked for
    received r;
    r.topic = chunk_->at.topic;
    r.partition = chunk_->at.partition;
    r.offset = entry.at.value();
    r.timestamp_ms = entry.record.time.value();
    r.key = view_of(entry.record.key);
    r.value = view_of(entry.record.value);
    for (auto& h : entry.record.headers)
      r.headers.push_back({h.key, view_of(h.value)});
    out.push_back(std::move(r));
    own(batch_);
    position_ = entry.at.value() + 1;
    ++count;
  }
  if (done()) position_ = std::max(position_, chunk_->next);
  return {};
}

} // namespace pessoa::client
