// The TOML file of a node's settings: flat, the keys of the table.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include "node/settings.hpp"
#include "schema/topic_config.hpp"

#include <toml++/toml.h>

#include <sstream>

namespace pessoa::node {

namespace {

std::optional<std::string> scalar_text(const toml::node& value) {
  if (auto* text = value.as_string()) return text->get();
  if (auto* number = value.as_integer()) return std::to_string(number->get());
  if (auto* flag = value.as_boolean()) return std::string{flag->get() ? "true" : "false"};
  return std::nullopt;
}

std::string place(std::string_view name, const toml::source_region& source) {
  return std::string{name} + " line " + std::to_string(source.begin.line);
}

} // namespace

result<std::map<std::string, std::string>> parse_settings_file(std::string_view text, std::string_view name) {
  auto parsed = toml::parse(text);
  if (!parsed) {
    std::ostringstream why;
    why << parsed.error().description();
    return error{ec::invalid_argument, place(name, parsed.error().source()) + ": not TOML: " + why.str()};
  }
  std::map<std::string, std::string> out;
  for (auto&& [key, value] : parsed.table()) {
    std::string joined;
    if (auto* list = value.as_array()) {
      for (auto& element : *list) {
        auto one = scalar_text(element);
        if (!one)
          return error{ec::invalid_argument,
                       place(name, element.source()) + ": a list of texts belongs here"};
        if (!joined.empty()) joined.push_back(',');
        joined.append(*one);
      }
    } else if (auto one = scalar_text(value)) {
      joined = *one;
    } else {
      return error{ec::invalid_argument,
                   place(name, value.source()) + ": " + pessoa::quoted(key.str())
                       + " holds neither a text, a whole number, true or false, nor a list of texts"};
    }
    out.emplace(std::string{key.str()}, std::move(joined));
  }
  return out;
}

} // namespace pessoa::node
