// The settings as the code uses them: typed, checked, with their relations.
//
// One table (client_config.cpp) has name, type, range, default and sentence of every key; settings::set, the
// defaults, the documentation's test and from() all read it.
#pragma once

#include "pessoa/settings.hpp"
#include "schema/record_batch.hpp"
#include "schema/seams/clock.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pessoa::client {

enum class offset_reset { start, end, none };
enum class ack_level : int8_t { all = -1, none = 0, leader = 1 };

struct client_config {
  // -- cluster ---
  std::vector<std::string> bootstrap;
  std::string client_id;
  std::string cluster; // expected id, empty: whichever answers
  duration connect_timeout{};
  duration bootstrap_wait{};
  duration request_timeout{};
  duration api_timeout{};
  duration backoff{};
  duration backoff_max{};
  duration metadata_max_age{};
  // -- producer ---
  ack_level acks = ack_level::all;
  bool idempotent = true;
  duration linger{};
  size_t batch_bytes = 0;
  size_t request_bytes_max = 0;
  size_t buffer_bytes = 0;
  size_t in_flight_max = 0;
  compression codec = compression::none;
  int compression_level = 0;
  duration delivery_timeout{};
  duration block_max{};
  // -- consumer ---
  size_t fetch_bytes_min = 0;
  size_t partition_fetch_bytes_max = 0;
  size_t fetch_ahead_bytes_max = 0;
  duration fetch_wait{};
  size_t poll_records_max = 0;
  offset_reset reset = offset_reset::end;

  // Errors: invalid_config when values contradict each other, or "bootstrap.servers" is not set.
  static result<client_config> from(const settings& settings);
};

// The ends between which simulated clients draw a setting, beside the default; for those that are drawn.
struct setting_ends {
  std::string_view name, tiny, usual, huge;
};
std::vector<setting_ends> settings_to_draw();

// The text of one value, checked and in its canonical form ("beginning" becomes "earliest").
// Errors: invalid_config.
result<std::string> check_setting(std::string_view key, std::string_view value);

} // namespace pessoa::client
