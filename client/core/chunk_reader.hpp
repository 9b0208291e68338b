// Turns fetched batches into records, a few at a time. Trusts nothing: the checksum of each batch is
// verified, lengths and offsets are checked, compressed records expand under a cap.
//
// Pure. The records it appends show into memory that owner() keeps alive.
#pragma once

#include "client/core/fetch_plan.hpp"
#include "pessoa/record.hpp"
#include "schema/record_batch.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace pessoa::client {

class chunk_reader {
public:
  explicit chunk_reader(chunk c)
      : chunk_(std::make_shared<const chunk>(std::move(c))), position_(chunk_->from) {}

  // Appends up to `max` records. Errors: corrupt_message, invalid_record, unsupported_version,
  // unsupported_compression, message_too_large; what was appended before stays good, position() is where the
  // damage begins.
  result<void> read(size_t max, std::vector<received>& out, std::vector<std::shared_ptr<const void>>& owners);

  // The offset after the last record that was appended or passed over.
  [[nodiscard]] int64_t position() const { return position_; }
  [[nodiscard]] bool done() const { return rest_begin_ == chunk_->data.size() && !batch_; }
  [[nodiscard]] const chunk& of() const { return *chunk_; }

private:
  result<void> open_next();

  std::shared_ptr<const chunk> chunk_;
  size_t rest_begin_ = 0;
  int64_t position_;
  std::shared_ptr<batch_reader> batch_; // the one being read
  int64_t batch_end_ = 0;
};

} // namespace pessoa::client
