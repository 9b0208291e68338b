// Any text is either refused or names exactly one id: printing and reading it again changes nothing.
#include "schema/assert.hpp"
#include "schema/ids.hpp"

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  auto raw = pessoa::parse_uuid(text);
  if (!raw) return 0;
  std::string printed = pessoa::uuid_text(*raw);
  PESSOA_ASSERT(printed.size() == 22);
  PESSOA_ASSERT(pessoa::parse_uuid(printed) == raw);
  // The short form is canonical: two texts of it never name one id.
  if (text.size() == printed.size()) PESSOA_ASSERT(printed == text);
  return 0;
}
