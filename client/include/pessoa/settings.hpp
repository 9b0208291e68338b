// The client's settings, under Kafka's names where Kafka has one. Text in, as from a file or a command line;
// every value is checked when it is set, and an unknown key is an error that names the nearest known one.
//
//   pessoa::client::settings settings;
//   settings.set("bootstrap.servers", "127.0.0.1:18880").value();
//   settings.set("compression.type", "lz4").value();
//
// One object serves cluster, producer, consumer and admin: each takes what concerns it. docs/client.md has
// the table.
#pragma once

#include "pessoa/error.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pessoa::client {

struct setting_info {
  std::string_view name;
  std::string_view type; // "ms", "bytes", "int", "bool", "text", "one of all, 1, 0"
  std::string_view default_value;
  std::string_view part;  // "cluster", "producer", "consumer"
  std::string_view about; // one sentence
};

class settings {
public:
  // Errors: invalid_config (unknown key, with the nearest known one; or a value out of its range, with the
  // range).
  result<void> set(std::string_view key, std::string_view value);
  // Sets many, stops at the first error.
  result<void> set_all(const std::map<std::string, std::string>& entries);

  // The value in force as text. Error: invalid_config.
  [[nodiscard]] result<std::string> get(std::string_view key) const;
  // What was set, not what is default.
  [[nodiscard]] const std::map<std::string, std::string>& changed() const { return changed_; }

  static const std::vector<setting_info>& known();

private:
  std::map<std::string, std::string> changed_;
};

} // namespace pessoa::client
