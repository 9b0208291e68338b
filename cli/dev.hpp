// What the files of `pessoa dev` share.
#pragma once

#include "cli/command.hpp"

namespace pessoa::cli {

void add_dev_run(command dev, invocation& inv);

} // namespace pessoa::cli
