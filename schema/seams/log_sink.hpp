// Where log lines go. Lines are for people: one sentence, with the values that matter; what came from clients is quoted
// (schema/topic_config.hpp, quoted) before it gets here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pessoa {

enum class log_level : uint8_t { debug, info, warning, error };

class log_sink {
public:
  virtual ~log_sink() = default;
  // Thread-safe; never blocks for long.
  virtual void write(log_level level, std::string_view component, std::string_view line) = 0;

  void info(std::string_view component, std::string_view line) { write(log_level::info, component, line); }
  void warn(std::string_view component, std::string_view line) { write(log_level::warning, component, line); }
  void fail(std::string_view component, std::string_view line) { write(log_level::error, component, line); }
};

} // namespace pessoa
