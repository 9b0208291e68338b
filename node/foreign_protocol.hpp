// Which protocol a client speaks that came to the wrong port, told by its first bytes. For log lines and for
// the answer; nothing is ever accepted because of it.
#pragma once

#include "schema/bytes.hpp"

namespace pessoa::node {

enum class foreign_protocol { unknown, http, http2, kafka, pessoa_rpc, tls, ssh };

// The answer to who came with HTTP: 400, with "This port speaks WHAT, not HTTP." and the hint as its body.
std::string http_refusal(std::string_view what, std::string_view hint);

// `first` holds the first bytes of the connection, 8 if there were as many. Plausible, not certain.
foreign_protocol recognise(byte_view first);

const char* name_of(foreign_protocol protocol); // "HTTP"

// At most `count` bytes for a log line: quoted, what is not printable as \xNN.
std::string quoted(byte_view data, size_t count = 16);

} // namespace pessoa::node
