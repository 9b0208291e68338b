// Proof that the simulator finds bugs: each planted bug is switched on, alone, until a seed fails because of it.
#pragma once

#include "simulations/command/batch.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pessoa::sim {

struct plant_search {
  std::string plant;
  std::optional<uint64_t> seed; // the first that fails
  std::string checker;          // that noticed; "process_lives" when the run asserted or did not end
  bool ok_without = false;      // the seed passes without the plant
  uint64_t tried = 0;           // seeds
};

// Seeds [first, last] of `options` for its plant, or for every one there is; `jobs` plants side by side, each in processes
// of its own, because a plant may well end them. In the order of the list. Says on stderr how it goes.
std::vector<plant_search> find_plants(const batch_options& options);
// As a table in Markdown.
std::string to_markdown(const std::vector<plant_search>& found);

} // namespace pessoa::sim
