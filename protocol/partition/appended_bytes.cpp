#include "protocol/partition/appended_bytes.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::protocol {

void appended_bytes::append(offset end, size_t size, offset high_watermark) {
  PESSOA_ASSERT(end > end_, end, end_);
  recent_.push_back({end_, end_position_});
  while (recent_.size() > batches_max && recent_[1].base <= high_watermark)
    recent_.pop_front();
  end_ = end;
  end_position_ += size;
}

void appended_bytes::undo(offset log_end) {
  PESSOA_ASSERT(log_end <= end_, log_end, end_);
  while (!recent_.empty() && recent_.back().base >= log_end) {
    end_ = recent_.back().base;
    end_position_ = recent_.back().begin_position;
    recent_.pop_back();
  }
  PESSOA_ASSERT(end_ == log_end, end_, log_end);
}

std::optional<uint64_t> appended_bytes::position(offset at) const {
  PESSOA_ASSERT(at <= end_, at, end_);
  if (at == end_) return end_position_;
  auto after = std::upper_bound(recent_.begin(), recent_.end(), at,
                                [](offset x, const batch& b) { return x < b.base; });
  if (after == recent_.begin()) return std::nullopt;
  return std::prev(after)->begin_position;
}

} // namespace pessoa::protocol
