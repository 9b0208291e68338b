#include "kafka/handlers/handler.hpp"

#include "schema/limits.hpp"
#include "schema/topic_config.hpp"

namespace pessoa::kafka {

instant exchange::deadline_in(int32_t ms) const {
  constexpr int32_t ms_max = 600'000;
  return to().time().now() + std::chrono::milliseconds{std::clamp(ms, 0, ms_max)};
}

std::string exchange::who() const { return from->peer + " (client " + from->client_id + ")"; }

answer closing(error why) {
  answer out;
  out.close = std::move(why);
  return out;
}

kj::Promise<answer> in_room(exchange x, std::function<answer()> build, int tries) {
  constexpr size_t small = 64u << 10; // bounded by how many requests a connection may have open
  constexpr duration pause = std::chrono::milliseconds{100};
  auto made = build();
  if (!made.message || made.message->size <= small) return made;
  if (auto place = x.to().reserve_reply(made.message->size)) {
    made.charges.push_back(std::move(place));
    return made;
  }
  if (tries <= 1)
    return closing({ec::overloaded, "an answer of " + std::to_string(made.message->size)
                                        + " bytes finds no room in the memory for answers"});
  return x.to().after(pause).then(
      [x, build = std::move(build), tries]() mutable { return in_room(x, std::move(build), tries - 1); });
}

result<void> check_partition_count(size_t count) {
  if (count <= partitions_per_node_max) return {};
  return {ec::malformed_message, "the request names " + std::to_string(count)
                                     + " partitions; a node has at most "
                                     + std::to_string(partitions_per_node_max)};
}

result<const actors::topic_route*> topic_named(const actors::routing_snapshot& routes,
                                               const std::string& name) {
  if (auto* found = routes.find(name)) return found;
  return error{ec::unknown_topic, "there is no topic " + quoted(name)};
}

std::vector<broker_address> broker_addresses(const exchange& x, const actors::routing_snapshot& routes) {
  std::vector<broker_address> out;
  for (auto& [id, node] : routes.nodes) {
    auto& known = node.registration;
    if (id == x.to().self()) {
      // Whatever it registered, here it can be reached: somebody just did.
      out.push_back({id, x.options->advertised.value_or(x.from->reached), known.rack});
    } else if (auto at = parse_host_port(known.kafka); at.ok()) {
      out.push_back({id, std::move(*at), known.rack});
    }
  }
  return out;
}

} // namespace pessoa::kafka
