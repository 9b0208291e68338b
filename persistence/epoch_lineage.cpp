#include "persistence/epoch_lineage.hpp"

#include "persistence/log_files.hpp"

#include <algorithm>

namespace pessoa::persistence {

bool epoch_lineage::note(leader_epoch epoch, offset base) {
  if (!starts_.empty()) {
    PESSOA_ASSERT(epoch >= starts_.back().epoch && base >= starts_.back().start, epoch, base,
                  starts_.back().epoch);
    if (epoch == starts_.back().epoch) return false;
    // An epoch that wrote nothing that is left began where this one does.
    if (base == starts_.back().start) starts_.pop_back();
  }
  starts_.push_back({epoch, base});
  return true;
}

bool epoch_lineage::truncate(offset end) {
  auto before = starts_.size();
  while (!starts_.empty() && starts_.back().start >= end)
    starts_.pop_back();
  return starts_.size() != before;
}

bool epoch_lineage::remove_before(offset start) {
  auto ended =
      std::adjacent_find(starts_.begin(), starts_.end(),
                         [&](const epoch_start&, const epoch_start& next) { return next.start > start; });
  if (starts_.empty()) return false;
  if (ended == starts_.end()) ended = starts_.end() - 1;
  bool changed = ended != starts_.begin();
  starts_.erase(starts_.begin(), ended);
  return changed;
}

std::pair<leader_epoch, offset> epoch_lineage::end_of(leader_epoch epoch, offset log_end) const {
  auto next = std::upper_bound(starts_.begin(), starts_.end(), epoch,
                               [](leader_epoch wanted, const epoch_start& s) { return wanted < s.epoch; });
  if (next == starts_.begin()) return {no_epoch, no_offset};
  return {std::prev(next)->epoch, next == starts_.end() ? log_end : next->start};
}

std::vector<uint8_t> epoch_lineage::encode() const {
  file_writer out{file_kind::epochs};
  out.put<uint32_t>(static_cast<uint32_t>(starts_.size()));
  for (auto& s : starts_) {
    out.put<int32_t>(s.epoch.value());
    out.put<int64_t>(s.start.value());
  }
  return std::move(out).finish();
}

result<epoch_lineage> epoch_lineage::decode(byte_view data) {
  PESSOA_TRY(auto in, file_reader::open(data, file_kind::epochs));
  epoch_lineage lineage;
  auto count = in.get<uint32_t>();
  for (uint32_t i = 0; i < count && in.good(); ++i) {
    leader_epoch epoch{in.get<int32_t>()};
    offset start{in.get<int64_t>()};
    bool ascends = lineage.starts_.empty()
                   || (epoch > lineage.starts_.back().epoch && start > lineage.starts_.back().start);
    if (!in.good() || !ascends || epoch.value() < 0 || start.value() < 0)
      return error{ec::corrupt_data, "the epoch file does not ascend at entry " + std::to_string(i)};
    lineage.starts_.push_back({epoch, start});
  }
  if (!in.at_end()) return error{ec::corrupt_data, "the epoch file's length does not fit its count"};
  return lineage;
}

} // namespace pessoa::persistence
