// What a table knows about itself: how far its log was folded in, and a digest of everything in it. It is
// written with every batch, in the same batch (failures C17).
//
// The digest is a sum over the entries, so that a batch updates it without reading the rest, and two tables
// with the same entries have the same digest in whatever order they came. It finds accidents, not intent.
#pragma once

#include "schema/bytes.hpp"
#include "schema/result.hpp"

#include <optional>
#include <string>

namespace pessoa::persistence {

struct table_head {
  std::optional<int64_t> applied; // position in the log that this table is folded from; none: nothing yet
  uint64_t entries = 0;
  uint64_t digest = 0; // sum modulo 2^64 of entry_digest

  void add(byte_view key, byte_view value);
  void remove(byte_view key, byte_view value);

  // docs/formats/table.md. Errors: corrupt_data, unsupported_version.
  [[nodiscard]] std::string encode() const;
  static result<table_head> decode(byte_view data);
  friend bool operator==(const table_head&, const table_head&) = default;
};
std::ostream& operator<<(std::ostream& out, const table_head& head);

// Part of the format: it must never change.
uint64_t entry_digest(byte_view key, byte_view value);

} // namespace pessoa::persistence
