// The memory twin of partition_log: batches in a vector. For tests of actors, where files are noise.
#pragma once

#include "persistence/partition_log.hpp"

#include <algorithm>
#include <utility>

namespace pessoa::test {

class memory_log final : public persistence::partition_log {
public:
  explicit memory_log(partition_key key, int* alive = nullptr) : key_(key), alive_(alive) {
    if (alive_ != nullptr) ++*alive_;
  }
  ~memory_log() override {
    if (alive_ != nullptr) --*alive_;
  }

  partition_key key() const override { return key_; }
  const std::string& directory() const override { return directory_; }
  offset log_start() const override { return start_; }
  offset log_end() const override { return end_; }
  offset durable_end() const override { return durable_; }
  uint64_t generation() const override { return generation_; }
  leader_epoch last_epoch() const override { return epochs_.empty() ? no_epoch : epochs_.back().epoch; }
  std::vector<persistence::epoch_start> lineage() const override { return epochs_; }
  std::pair<leader_epoch, offset> end_of_epoch(leader_epoch) const override { return {last_epoch(), end_}; }
  producer_table producers() const override { return producers_; }
  uint64_t size_bytes() const override {
    uint64_t size = 0;
    for (auto& [header, batch] : batches_)
      size += batch.size();
    return size;
  }
  size_t segment_count() const override { return 1; }
  std::optional<error> failed() const override { return failed_; }

  result<void> write(const std::vector<persistence::frame_input>& frames) override {
    if (failed_) return *failed_;
    for (auto& frame : frames) {
      PESSOA_TRY(auto header, parse_batch_header(frame.batch));
      PESSOA_ASSERT(header.base_offset == end_, header.base_offset, end_);
      if (last_epoch() != header.epoch) epochs_.push_back({header.epoch, end_});
      batches_.emplace_back(header, frame.batch);
      producers_.apply(header, frame.append_time);
      end_ = header.next_offset();
    }
    return {};
  }
  result<offset> sync() override {
    if (failed_) return *failed_;
    return durable_ = end_;
  }
  void note_durable_in_journal(offset end) override { durable_ = std::max(durable_, end); }
  std::vector<bytes> last_written_frames() const override { return {}; }
  result<void> truncate(offset to) override {
    while (!batches_.empty() && batches_.back().first.last_offset() >= to)
      batches_.pop_back();
    end_ = durable_ = batches_.empty() ? start_ : batches_.back().first.next_offset();
    ++generation_;
    return {};
  }
  result<uint64_t> remove_before(offset start) override {
    if (auto why = std::exchange(refused_, std::nullopt)) return *why;
    start_ = std::max(start_, start);
    if (auto why = std::exchange(unremoved_, std::nullopt)) return fail(*why), *why;
    return uint64_t{0};
  }
  std::optional<offset> retention_start(timestamp, offset) const override {
    return std::exchange(retention_, std::nullopt);
  }
  void apply(persistence::log_settings settings) override { applied = settings; }
  result<void> checkpoint() override { return {}; }
  void release_files() override { ++released; }

  result<persistence::read_batches> read(offset from, offset limit, size_t bytes_max) const override {
    if (from < start_ || from > end_) return error{ec::offset_out_of_range, "out of range"};
    persistence::read_batches out;
    out.first = out.next = from;
    std::vector<uint8_t> data;
    for (auto& [header, batch] : batches_) {
      if (header.last_offset() < from || header.next_offset() > limit) continue;
      if (!data.empty() && data.size() + batch.size() > bytes_max) break;
      if (data.empty()) out.first = header.base_offset;
      data.insert(data.end(), batch.data(), batch.data() + batch.size());
      out.next = header.next_offset();
    }
    out.data = bytes::take(std::move(data));
    return out;
  }
  result<std::optional<time_position>> offset_for_time(timestamp at, offset limit) const override {
    for (auto& [header, batch] : batches_)
      if (header.max_timestamp >= at && header.base_offset < limit)
        return std::optional{time_position{header.base_offset, header.base_timestamp, header.epoch}};
    return std::optional<time_position>{};
  }

  // -- levers for tests ---
  void fail(error why) { failed_ = std::move(why); }
  void set_retention_start(offset start) { retention_ = start; }
  void refuse_next_remove(error why) { refused_ = std::move(why); } // before anything is done
  void fail_next_remove(error why) { unremoved_ = std::move(why); } // when the start has moved
  int released = 0;
  std::optional<persistence::log_settings> applied;

private:
  partition_key key_;
  int* alive_;
  std::string directory_ = "memory";
  std::vector<std::pair<batch_header, bytes>> batches_;
  offset start_{0}, end_{0}, durable_{0};
  uint64_t generation_ = 0;
  std::vector<persistence::epoch_start> epochs_;
  producer_table producers_;
  std::optional<error> failed_, refused_, unremoved_;
  mutable std::optional<offset> retention_;
};

} // namespace pessoa::test
