#include "schema/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace pessoa {

void assertion_failed(const char* condition, const char* file, int line, const std::string& values) {
  std::fprintf(stderr, "pessoa: assertion failed: %s [%s:%d]%s%s\n", condition, file, line, values.empty() ? "" : " with",
               values.c_str());
  std::fflush(stderr);
  std::abort();
}

} // namespace pessoa
