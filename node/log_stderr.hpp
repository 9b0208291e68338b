// Log lines to stderr: time, level, component, sentence. Written by a thread of its own, so that a slow terminal never
// holds up a worker; when it cannot keep up, the oldest lines go and their number is told.
#pragma once

#include "schema/seams/log_sink.hpp"

#include <memory>
#include <string>

namespace pessoa::node {

// `level`: error, warning, info or debug; anything else is info.
std::unique_ptr<log_sink> make_stderr_log(std::string_view level);

} // namespace pessoa::node
