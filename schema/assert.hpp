// Mistakes of ours stop the process, in release builds too: a node that restarts from disk is better than one that lies.
//
// PESSOA_ASSERT(log_end >= base, log_end, base) prints the condition and the values. Operating errors never come here;
// they are values (schema/result.hpp).
#pragma once

#include <sstream>
#include <string>

namespace pessoa {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line, const std::string& values);

template <class... Ts>
std::string assertion_values(const Ts&... values) {
  std::ostringstream out;
  ((out << ' ' << values), ...);
  return out.str();
}

} // namespace pessoa

#define PESSOA_ASSERT(condition, ...)                                                                                  \
  ((condition) ? static_cast<void>(0)                                                                                  \
               : ::pessoa::assertion_failed(#condition, __FILE__, __LINE__,                                            \
                                            ::pessoa::assertion_values(__VA_ARGS__)))
