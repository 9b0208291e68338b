// Stands in for the node in a build that has none (node/ is not built): it says so and fails.
#include "node/node.hpp"

#include <cstdio>

namespace pessoa::node {

int run_node(const node_settings&) {
  std::fputs("error: this build of pessoa contains no node\n  try: build the target pessoa_node\n", stderr);
  return 1;
}

} // namespace pessoa::node
