// FindCoordinator: there is none yet, neither for groups nor for transactions.
//
// For a group the answer is the one with which clients wait and ask again: a consumer that names a group and reads assigned
// partitions works with it. A transactional producer could only wait for ever; it is told something that ends it.
#include "kafka/handlers/handlers.hpp"
#include "schema/topic_config.hpp"

namespace pessoa::kafka {

namespace {

constexpr int8_t of_group = 0, of_transaction = 1;
constexpr size_t keys_max = 10'000;

struct refusal {
  int16_t code;
  const char* text;
};

refusal why_none(int8_t type) {
  switch (type) {
  case of_group:
    return {+number::coordinator_not_available,
            "there are no consumer groups here yet: read assigned partitions, without a group"};
  case of_transaction:
    return {+number::transactional_id_authorization_failed,
            "there are no transactions here yet: leave transactional.id out"};
  default:
    return {+number::invalid_request, "there is no such type of coordinator"};
  }
}

} // namespace

template <>
kj::Promise<answer> find_coordinator_handler::handle(exchange x, find_coordinator_request asked) {
  if (asked.coordinator_keys.size() > keys_max)
    return closing(
        {ec::malformed_message, "FindCoordinator asks for " + std::to_string(asked.coordinator_keys.size())
                                    + " keys, at most " + std::to_string(keys_max) + " are answered"});
  auto why = why_none(x.version >= 1 ? asked.key_type : of_group);
  find_coordinator_response out;
  if (x.version < 4) {
    out.error_code = why.code;
    out.error_message = why.text;
    out.node_id = out.port = -1;
    return reply(x, out);
  }
  for (auto& key : asked.coordinator_keys) {
    auto& entry = out.coordinators.emplace_back();
    entry.key = key;
    entry.node_id = entry.port = -1;
    entry.error_code = why.code;
    entry.error_message = why.text;
  }
  return reply(x, out);
}

} // namespace pessoa::kafka
