// JSON of commands: fields stay in the order in which they are written, names are camelCase and a contract.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace pessoa::cli {

using json = nlohmann::ordered_json;

// On one line. Bytes that are not UTF-8 (a hostile error text) become U+FFFD rather than an exception.
inline std::string print(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace pessoa::cli
