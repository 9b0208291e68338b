#include "simulations/check/durability.hpp"

#include "persistence/frame.hpp"
#include "persistence/journal_format.hpp"
#include "persistence/log_files.hpp"

#include <algorithm>

namespace pessoa::sim {

using namespace pessoa::persistence;

std::optional<std::string> durability_check::look(const partition_key& key, offset end) {
  auto directory = data_ + "/topics/" + to_string(key);
  std::vector<offset> bases;
  for (auto& file : disk_.names_in(directory))
    if (auto base = parse_file_name(file, segment_suffix)) bases.push_back(*base);
  auto& seen = seen_[key];
  if (seen.segment.value() >= 0 && std::find(bases.begin(), bases.end(), seen.segment) == bases.end())
    seen = {};
  while (seen.next < end) {
    if (seen.segment.value() < 0) {
      // The newest segment that begins at or below what is looked for; retention takes whole segments from the front.
      for (auto base : bases)
        if (base <= seen.next || seen.segment.value() < 0) seen.segment = base;
      if (seen.segment.value() < 0) return "there is no segment";
      seen.at = 0;
      seen.next = seen.segment;
      if (seen.next >= end) return std::nullopt;
    }
    auto path = directory + "/" + file_name(seen.segment, segment_suffix);
    auto data = disk_.content(path);
    if (!data) return "the segment at " + std::to_string(seen.segment.value()) + " is gone";
    auto next_segment = std::upper_bound(bases.begin(), bases.end(), seen.segment);
    frame_view frame;
    auto rest = seen.at <= data->size() ? data->subspan(seen.at) : byte_view{};
    auto defect = rest.empty() ? frame_defect::incomplete : parse_frame(rest, key, frame);
    if (defect != frame_defect::none) {
      if (next_segment != bases.end() && *next_segment == seen.next) {
        seen.segment = *next_segment;
        seen.at = 0;
        continue;
      }
      return "offset " + std::to_string(seen.next.value())
             + " is no whole frame in its segment: " + persistence::to_string(defect);
    }
    auto length = frame.header.frame_length;
    if (!disk_.is_durable(path, seen.at, seen.at + length)
        && !in_journal(key, frame.header.base, rest.first(length)))
      return "offset " + std::to_string(frame.header.base.value()) + " lies at byte "
             + std::to_string(seen.at) + " of its segment, of which "
             + std::to_string(disk_.durable_prefix(path)) + " are durable, and no journal holds it";
    seen.at += length;
    seen.next = frame.next_offset();
  }
  return std::nullopt;
}

bool durability_check::in_journal(const partition_key& key, offset base, byte_view frame) const {
  auto directory = data_ + "/journal";
  for (auto& file : disk_.names_in(directory)) {
    auto number = parse_journal_file_name(file);
    auto path = directory + "/" + file;
    auto data = disk_.content(path);
    if (!number || !data) continue;
    for (uint64_t at = journal_file_header_size; at + journal_record_header_size <= data->size();) {
      auto record = parse_journal_record(data->subspan(at), *number);
      if (!record || record->length > data->size() - at) break;
      auto body = data->subspan(at, record->length);
      if (record->kind == journal_kind::frames && record->key == key && record->base <= base
          && base < record->end
          && std::search(body.begin(), body.end(), frame.begin(), frame.end()) != body.end()
          && disk_.is_durable(path, 0, at + record->length))
        return true;
      at += record->length;
    }
  }
  return false;
}

} // namespace pessoa::sim
