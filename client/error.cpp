#include "pessoa/error.hpp"

#include "schema/assert.hpp"

#include <cstdio>
#include <sstream>

namespace pessoa::client {

error::error(ec c, std::string text)
    : code(c), category(pessoa::describe(c).category), message(std::move(text)),
      hint(pessoa::describe(c).hint) {}

error::error(pessoa::error e) : error(e.code, std::move(e.message)) {}

std::ostream& operator<<(std::ostream& out, const error& e) {
  out << e.code;
  if (!e.message.empty()) out << ": " << e.message;
  return out;
}

std::string to_string(const error& e) {
  std::ostringstream out;
  out << e;
  return out.str();
}

std::string explain(const error& e) {
  std::string text = e.message.empty() ? std::string{pessoa::describe(e.code).name} : e.message;
  if (e.attempts > 1) text += " (tried " + std::to_string(e.attempts) + " times)";
  for (auto& cause : e.last_causes)
    text += "\n  because: " + cause;
  if (!e.hint.empty()) text += "\n  try: " + e.hint;
  return text;
}

void no_value(const error& e) {
  pessoa::assertion_failed("result.ok()", "pessoa/error.hpp", 0, to_string(e));
}

} // namespace pessoa::client
