#include "persistence/read_window.hpp"

#include <algorithm>
#include <cstring>

namespace pessoa::persistence {

result<byte_view> read_window::at(uint64_t position, size_t wanted, size_t ahead) {
  if (position >= file_end_) return byte_view{};
  wanted = static_cast<size_t>(std::min<uint64_t>(wanted, file_end_ - position));
  if (position < begin_ || position + wanted > begin_ + size_) {
    // What is here of it stays: only what is missing is read.
    size_t kept =
        position >= begin_ && position < begin_ + size_ ? static_cast<size_t>(begin_ + size_ - position) : 0;
    auto size = static_cast<size_t>(std::min<uint64_t>(std::max(wanted, ahead), file_end_ - position));
    if (kept > 0) std::memmove(buffer_.data(), buffer_.data() + (position - begin_), kept);
    if (buffer_.size() < size) buffer_.resize(size);
    begin_ = position;
    size_ = kept;
    PESSOA_TRY(auto got, file_.read_at(position + kept, buffer_.data() + kept, size - kept));
    size_ += got;
    bytes_read_ += got;
  }
  auto skip = static_cast<size_t>(position - begin_);
  return byte_view{buffer_.data() + skip, std::min(wanted, size_ - std::min(skip, size_))};
}

} // namespace pessoa::persistence
