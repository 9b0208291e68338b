// What ApiVersions tells a client: per API a range of versions, inside of what the codec knows.
//
// A choice, not a fact: the lowest version matters as much as the highest (a client that misses version 0 of one API
// silently stops using a feature of another), and a highest version is a promise that all its meaning is there.
// Configuration may lower a maximum, or hide an API; it can never raise one.
#pragma once

#include "kafka/codec/api.hpp"
#include "schema/result.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pessoa::kafka {

struct advertised_api {
  const api_info* api = nullptr;
  version_range versions;
};

class advertised_apis {
public:
  // What this software promises.
  advertised_apis();
  // The same, lowered as configured: "Fetch=11,Produce=7,InitProducerId=off". An empty text lowers nothing. Errors:
  // invalid_config, naming what is wrong with the text and what there is.
  static result<advertised_apis> limited(std::string_view text);

  // Lowers the highest version of the API with this name ("Fetch"). Errors: invalid_config for an unknown name, a
  // version below the advertised minimum, or one above the advertised maximum.
  result<void> cap(std::string_view name, int16_t version_max);
  // Leaves the API out. Errors: invalid_config for an unknown name, and for ApiVersions.
  result<void> hide(std::string_view name);

  // In the order of keys.
  [[nodiscard]] const std::vector<advertised_api>& all() const { return apis_; }
  // The versions a request may have; nullopt when the API is not advertised.
  [[nodiscard]] std::optional<version_range> find(int16_t key) const;

private:
  result<advertised_api*> named(std::string_view name);
  result<void> limit(std::string_view part);
  std::vector<advertised_api> apis_;
};

} // namespace pessoa::kafka
