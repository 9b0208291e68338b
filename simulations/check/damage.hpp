// What a disk can do to bytes that it was given, as checkers tell it apart.
#pragma once

#include <cstdint>

namespace pessoa::sim {

// What the disk has done to a partition's bytes, the worst of it.
enum class damage : uint8_t {
  none,
  rot,     // bits have flipped
  writing, // a write was lost, or landed elsewhere: then nobody can know what is missing
};

} // namespace pessoa::sim
