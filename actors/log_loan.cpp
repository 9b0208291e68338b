#include "actors/log_loan.hpp"

#include "actors/type_ids.hpp"

#include <caf/send.hpp>

namespace pessoa::actors {

log_loan lend(std::unique_ptr<persistence::partition_log> log, replica_actor owner) {
  PESSOA_ASSERT(log != nullptr);
  auto raw = log.release();
  return {raw, [owner = std::move(owner)](persistence::partition_log* back) {
            auto message = std::make_shared<log_returned>();
            message->log.reset(back);
            caf::anon_send(owner, std::move(message));
          }};
}

} // namespace pessoa::actors
