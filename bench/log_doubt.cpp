#include "bench/log_doubt.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace pessoa::bench {

namespace {

namespace fs = std::filesystem;

// Where things lie in a frame's header (persistence/frame.hpp) and an index (persistence/segment_index.hpp).
constexpr uint32_t frame_magic = 0x4d465350;
constexpr size_t frame_header_size = 80, length_at = 8, base_at = 32, synced_end_at = 56;
constexpr size_t index_header_size = 64, index_entry_size = 40, position_at = 8;

template <class T>
T number_at(const char* data) {
  T value;
  std::memcpy(&value, data, sizeof value); // the files are little-endian, and so is what runs this
  return value;
}

// Where frames begin, as the index says; the file's beginning is one of them.
std::vector<uint64_t> known_positions(const fs::path& index, uint64_t segment_size) {
  std::vector<uint64_t> out = {0};
  std::ifstream file{index, std::ios::binary};
  std::vector<char> data{std::istreambuf_iterator<char>{file}, {}};
  for (size_t at = index_header_size; at + index_entry_size <= data.size(); at += index_entry_size) {
    auto position = number_at<uint64_t>(&data[at + position_at]);
    if (position > out.back() && position < segment_size) out.push_back(position);
  }
  return out;
}

struct walked {
  std::vector<std::pair<int64_t, uint64_t>> frames; // base offset and position
  int64_t synced_end = 0;                           // the highest that one of them claims
};

walked walk(std::ifstream& file, uint64_t position, uint64_t end) {
  walked out;
  char head[frame_header_size];
  while (position + frame_header_size <= end) {
    file.seekg(static_cast<std::streamoff>(position));
    if (!file.read(head, sizeof head)) throw std::runtime_error("a segment cannot be read");
    auto length = number_at<uint32_t>(head + length_at);
    if (number_at<uint32_t>(head) != frame_magic || length < frame_header_size) break; // a torn tail begins
    out.frames.emplace_back(number_at<int64_t>(head + base_at), position);
    out.synced_end = std::max(out.synced_end, number_at<int64_t>(head + synced_end_at));
    position += length;
  }
  return out;
}

} // namespace

double bytes_in_doubt(const fs::path& log_directory) {
  fs::path newest;
  for (auto& entry : fs::directory_iterator{log_directory})
    if (entry.path().extension() == ".log" && entry.path().filename() > newest.filename())
      newest = entry.path();
  if (newest.empty()) return 0;
  auto size = fs::file_size(newest);
  auto positions = known_positions(fs::path{newest}.replace_extension(".index"), size);
  std::ifstream file;
  file.rdbuf()->pubsetbuf(nullptr, 0); // heads only
  file.open(newest, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + newest.string());
  // Newest frames claim most; go back until the place that they claim has been seen.
  for (size_t back = 4;; back *= 4) {
    auto from = positions.size() > back ? positions[positions.size() - back] : 0;
    auto seen = walk(file, from, size);
    bool reached = !seen.frames.empty() && seen.frames.front().first <= seen.synced_end;
    if (!reached && from != 0) continue;
    for (auto& [base, position] : seen.frames)
      if (base >= seen.synced_end) return static_cast<double>(size - position);
    return seen.frames.empty() ? static_cast<double>(size) : 0;
  }
}

} // namespace pessoa::bench
