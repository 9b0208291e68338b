// Who a data directory is, and how its last life ended: two small text files with a version and a checksum.
//
// docs/formats/data-directory.md shows them. Decoding accepts exactly what encoding writes.
#pragma once

#include "schema/bytes.hpp"
#include "schema/ids.hpp"
#include "schema/result.hpp"

#include <string>

namespace pessoa {
class random_source;
}

namespace pessoa::persistence {

inline constexpr size_t identity_bytes_max = 4096;

struct directory_identity {
  cluster_id cluster;
  directory_id directory; // new with each first start, so that a copy or an emptied disk is never taken for
                          // the old one
  node_id node;

  static directory_identity draw(cluster_id cluster, node_id node, random_source& random);

  [[nodiscard]] std::string encode() const;
  // Errors: corrupt_data; unsupported_version (written by a newer release).
  static result<directory_identity> decode(byte_view text);
  friend bool operator==(const directory_identity&, const directory_identity&) = default;
};
std::ostream& operator<<(std::ostream& out, const directory_identity& identity);

// The content of the clean-stop mark of that directory. Whoever finds anything else recovers as after a
// crash.
std::string clean_stop_mark(const directory_id& directory);

} // namespace pessoa::persistence
