// Small pieces that both contracts use: ids and errors, to wire form and back.
#pragma once

#include "schema/ids.hpp"
#include "schema/result.hpp"
#include "schema/wire/client.capnp.h"

namespace pessoa::wire {

void write_uuid(const std::array<uint8_t, 16>& raw, Uuid::Builder out);
std::array<uint8_t, 16> read_uuid(Uuid::Reader in);

template <class Tag>
void write(const uuid_of<Tag>& id, Uuid::Builder out) { write_uuid(id.raw(), out); }
template <class Id>
Id read(Uuid::Reader in) { return Id{read_uuid(in)}; }

// Text is cut at `bytes_max` where it is written, so that no answer grows without bound.
void write_error(const error& e, Error::Builder out, size_t bytes_max = 4096);
// The error behind a result's `error` field. Unknown names keep their message and become the nearest code of their
// category, so that a client of an older release still reacts rightly.
error read_error(Error::Reader in);

} // namespace pessoa::wire
