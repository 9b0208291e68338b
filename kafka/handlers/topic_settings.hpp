// A topic's settings as Kafka shows them: value, where it comes from, its type in numbers, and under which name a broker
// has the same setting. The settings themselves: schema/topic_config.hpp.
#pragma once

#include "schema/topic_config.hpp"

namespace pessoa::kafka {

// Kafka's numbers (ConfigSource, ConfigType).
enum class config_source : int8_t { topic = 1, broker = 4, default_value = 5 };
enum class config_type : int8_t { boolean = 1, string = 2, int32 = 3, int64 = 5, list = 7 };

struct shown_setting {
  std::string_view name;
  std::string value;
  config_type type = config_type::string;
  std::string_view about;
  std::string_view broker_name; // of the same setting of a broker
  std::string default_value;
  bool chosen = false; // set for this topic, and no default
};

// In order of name. `chosen` is what was set; `replicas` how many copies a partition has.
std::vector<shown_setting> show_settings(const topic_config& config,
                                         const std::map<std::string, std::string>& chosen, size_t replicas);

} // namespace pessoa::kafka
