// The round trip of a record, taken apart: from what the probe wrote down in the client and in the node (probe_posix.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pessoa::bench {

inline constexpr uint16_t probed_node = 1, probed_client = 2; // PESSOA_PROBE_PROCESS

struct trip {
  int64_t begin_ns = 0, end_ns = 0; // monotonic: the call, the acknowledgement
};

struct hop {
  std::string name;
  double micros = 0; // mean over the trips that count
};

struct hop_table {
  std::vector<hop> hops; // in order; they add up to `trip_micros`
  double trip_micros = 0;
  size_t counted = 0;    // trips: the tenth above and below the median
  size_t incomplete = 0; // that were left out, because a moment that must be there is not
};

// Makes the file that the probe writes into.
void make_probe_file(const std::string& path);
// Requires: one record at a time, sent by the thread `caller` of the client, to a node with one partition.
hop_table take_apart(const std::string& probe_file, std::vector<trip> trips, int32_t caller);

} // namespace pessoa::bench
