// A byte stream that looks at what the node sends before Cap'n Proto does: names the program behind a wrong
// port, and lets no message through whose segment table lies or which is larger than was agreed.
#pragma once

#include "pessoa/error.hpp"

#include <kj/async-io.h>

#include <memory>
#include <optional>
#include <string>

namespace pessoa::client {

// What the guard has seen; lives as long as somebody asks.
struct guard_findings {
  uint64_t bytes = 0;         // read so far
  std::optional<error> wrong; // why reading was stopped
};

// Reads Cap'n Proto's framing as it goes by. Pure; feed() may be given any pieces.
class frame_guard {
public:
  explicit frame_guard(size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  // Error: malformed_message, or wrong_protocol when the very first bytes are of another protocol.
  result<void> feed(const uint8_t* data, size_t size);

private:
  result<void> word();
  [[nodiscard]] error foreign(std::string what) const;

  size_t message_bytes_max_;
  bool first_ = true;
  uint8_t word_[8] = {};
  size_t word_bytes_ = 0;
  uint32_t segments_ = 0; // of the message whose table is being read; 0: at its beginning
  uint32_t sizes_read_ = 0;
  uint64_t message_words_ = 0;
  uint64_t body_bytes_ = 0; // still to pass by unread
};

kj::Own<kj::AsyncIoStream> guard_stream(kj::Own<kj::AsyncIoStream> stream, size_t message_bytes_max,
                                        std::shared_ptr<guard_findings> findings);

} // namespace pessoa::client
