// Values one after the other, as text.
#pragma once

#include <sstream>
#include <string>

namespace pessoa {

template <class... Ts>
std::string joined(const Ts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

} // namespace pessoa
