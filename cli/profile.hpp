// Profiles: named addresses, one of them selected. Files NAME.json below
// ${XDG_CONFIG_HOME:-$HOME/.config}/pessoa/profiles; the name of the selected one lies in the file `selected`
// beside that directory.
#pragma once

#include "cli/console.hpp"
#include "cli/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pessoa::cli {

struct profile {
  std::string name;
  std::vector<std::string> bootstrap; // every address; all are tried
  std::string cluster_id;             // empty: not known
  json dev;                           // what `pessoa dev` remembers; null for others
};

class profile_store {
public:
  explicit profile_store(const environment& env);

  // Errors: not_found (naming the nearest), invalid_argument (the file is damaged).
  result<profile> load(const std::string& name) const;
  result<void> save(const profile& p) const;
  void remove(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const; // sorted
  // Empty: none is selected.
  [[nodiscard]] std::string selected() const;
  // An empty name selects none.
  result<void> select(const std::string& name) const;
  [[nodiscard]] std::string path(const std::string& name) const;

private:
  std::string root_; // ".../pessoa"
};

// [a-zA-Z0-9._-]{1,64}, no leading dot: it becomes a file's name.
result<std::string> check_profile_name(std::string_view text);

} // namespace pessoa::cli
