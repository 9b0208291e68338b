// InitProducerId: an id for an idempotent producer, given once. An epoch that a client wants to go on from (3) needs no
// state here: it gets a new id, as from Kafka. Transactional ids have no coordinator yet.
#include "kafka/handlers/handlers.hpp"

namespace pessoa::kafka {

template <>
kj::Promise<answer> init_producer_id_handler::handle(exchange x, init_producer_id_request asked) {
  auto refuse = [&x](int16_t code) {
    init_producer_id_response out;
    out.error_code = code;
    out.producer_epoch = -1;
    return reply(x, out);
  };
  if (asked.transactional_id) {
    if (asked.transactional_id->empty()) return refuse(+number::invalid_request);
    return refuse(+number::transactional_id_authorization_failed);
  }
  // Both or none.
  if ((asked.producer_id < 0) != (asked.producer_epoch < 0)) return refuse(+number::invalid_request);
  return x.to().new_producer_id().then([x](result<producer_id> id) {
    init_producer_id_response out;
    if (id) {
      out.producer_id = id->value();
    } else {
      out.error_code = x.number_of(id.error().code);
      out.producer_epoch = -1;
    }
    return reply(x, out);
  });
}

} // namespace pessoa::kafka
