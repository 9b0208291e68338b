#include "pessoa/admin.hpp"

#include "client/cluster_state.hpp"
#include "client/rpc/admin_calls.hpp"

namespace pessoa::client {

result<topic_info> admin::create_topic(const new_topic& topic) const {
  return cluster_.internals()->wait<topic_info>(
      [topic](engine& core) { return client::create_topic(core, topic); });
}

result<void> admin::delete_topic(std::string_view name) const {
  auto done = cluster_.internals()->wait<int64_t>(
      [name = std::string{name}](engine& core) { return client::delete_topic(core, name); });
  if (!done.ok()) return done.error();
  return {};
}

result<topic_info> admin::alter_topic(const topic_change& change) const {
  return cluster_.internals()->wait<topic_info>(
      [change](engine& core) { return client::alter_topic(core, change); });
}

result<topic_description> admin::describe_topic(std::string_view name) const {
  return cluster_.internals()->wait<topic_description>(
      [name = std::string{name}](engine& core) { return client::describe_topic(core, name); });
}

result<int64_t> admin::delete_records(const topic_partition& at, std::optional<int64_t> before) const {
  return cluster_.internals()->wait<int64_t>(
      [at, before](engine& core) { return client::delete_records(core, at, before); });
}

} // namespace pessoa::client
