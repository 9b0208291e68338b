// DeleteTopics: by name, or by id (6). One after the other, as topics are created.
#include "kafka/handlers/handlers.hpp"
#include "schema/topic_config.hpp"

#include <set>

namespace pessoa::kafka {

namespace {

constexpr int32_t patience_ms_min = 1000; // a deletion waits for a disk, whatever the client thinks of it

using outcome = result<actors::committed_change>;

// One topic: exactly one of name and id is given.
struct wanted {
  std::optional<std::string> name;
  topic_id id;
  friend auto operator<=>(const wanted&, const wanted&) = default;
};

struct open_request {
  exchange x;
  std::vector<wanted> topics;
  std::set<wanted> twice; // what stands in the request more than once
  instant deadline;
  delete_topics_response out;
  size_t next = 0;
};

kj::Promise<outcome> remove(open_request& r, const wanted& topic, delete_topics_response::topic& out) {
  auto refuse = [](ec code, std::string what) { return outcome{error{code, std::move(what)}}; };
  if (topic.name.has_value() != topic.id.is_nil())
    return refuse(ec::invalid_argument, "a topic is named by its name or by its id, not by both");
  if (r.twice.contains(topic)) return refuse(ec::invalid_argument, "the topic stands in the request twice");
  if (r.x.to().time().now() >= r.deadline)
    return refuse(ec::timed_out, "the topic was not deleted: its turn did not come in time");
  if (topic.name) return r.x.to().delete_topic(*topic.name);
  auto routes = r.x.to().routes();
  if (auto* route = routes->find(topic.id)) out.name = route->name;
  return r.x.to().delete_topic(topic.id);
}

kj::Promise<void> remove_next(const std::shared_ptr<open_request>& r) {
  if (r->next == r->topics.size()) return kj::READY_NOW;
  auto& topic = r->topics[r->next++];
  auto& out = r->out.topics.emplace_back();
  out.name = topic.name;
  out.topic_id = topic.id;
  return remove(*r, topic, out).then([r](outcome done) {
    if (!done) {
      auto& entry = r->out.topics.back();
      entry.error_code = r->x.number_of(done.error().code);
      entry.error_message = client_text(done.error());
    }
    return remove_next(r);
  });
}

} // namespace

template <>
kj::Promise<answer> delete_topics_handler::handle(exchange x, delete_topics_request asked) {
  auto r = std::make_shared<open_request>();
  r->deadline = x.deadline_in(std::max(asked.timeout_ms, patience_ms_min));
  r->x = std::move(x);
  for (auto& topic : asked.topics)
    r->topics.push_back({std::move(topic.name), topic.topic_id});
  for (auto& name : asked.topic_names)
    r->topics.push_back({std::move(name), {}});
  std::set<wanted> seen;
  for (auto& topic : r->topics)
    if (!seen.insert(topic).second) r->twice.insert(topic);
  return remove_next(r).then([r] { return in_room(r->x, [r] { return reply(r->x, r->out); }); });
}

} // namespace pessoa::kafka
