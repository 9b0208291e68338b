// The log cannot get lost: a loan is a shared pointer whose last reference posts the log back to its replica.
//
// Every I/O job holds a copy, so the log is back exactly when the epoch's actor is gone and no I/O is outstanding. A
// `down` message says nothing about ownership (architecture, section 4).
#pragma once

#include "actors/interfaces.hpp"

namespace pessoa::actors {

using log_loan = std::shared_ptr<persistence::partition_log>;

// Requires: log. If the replica is gone when the loan ends, the log is closed.
log_loan lend(std::unique_ptr<persistence::partition_log> log, replica_actor owner);

} // namespace pessoa::actors
