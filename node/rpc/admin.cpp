#include "node/rpc/admin.hpp"

#include "actors/type_ids.hpp"
#include "node/health.hpp"
#include "node/rpc/change.hpp"
#include "node/rpc/requests.hpp"
#include "node/rpc/translate.hpp"

#include <caf/send.hpp>

namespace pessoa::node {

namespace {

using actors::committed_change;
using actors::partition_status;

class admin final : public wire::Admin::Server {
public:
  explicit admin(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> createTopic(CreateTopicContext context) override {
    auto asked = read_create_topic_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error());
    auto command = std::make_shared<actors::create_topic_command>();
    command->request = std::move(*asked);
    return change(c_, std::move(command)).then([this, context](result<committed_change> done) mutable {
      if (!done) return fail(context, done.error());
      // The caller may produce as soon as it hears: wait until what this node leads is led.
      return all_ready(*c_).then(
          [this, context, done = *done]() mutable { answer_topic(context, done, *done.topic); });
    });
  }

  kj::Promise<void> deleteTopic(DeleteTopicContext context) override {
    auto command = std::make_shared<actors::delete_topic_command>();
    command->name = text_of(context.getParams().getName());
    return change(c_, std::move(command))
        .then([context](result<committed_change> done) mutable -> kj::Promise<void> {
          if (!done) return fail(context, done.error());
          context.getResults().setIndex(done->index.value());
          return kj::READY_NOW;
        });
  }

  kj::Promise<void> alterTopic(AlterTopicContext context) override {
    auto asked = read_alter_topic_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error());
    auto command = std::make_shared<actors::alter_topic_command>();
    auto name = asked->name;
    command->request = std::move(*asked);
    return change(c_, std::move(command)).then([this, context, name](result<committed_change> done) mutable {
      if (!done) return fail(context, done.error());
      return all_ready(*c_).then([this, context, name, done = *done]() mutable {
        auto routes = c_->node.env->routes->load();
        auto* topic = routes->find(name);
        if (topic == nullptr)
          return wire::write_error({ec::unknown_topic, "topic '" + name + "' was deleted meanwhile"},
                                   context.getResults().initError());
        answer_topic(context, done, topic->id);
      });
    });
  }

  kj::Promise<void> describeTopic(DescribeTopicContext context) override {
    auto name = text_of(context.getParams().getName());
    auto routes = c_->node.env->routes->load();
    auto* topic = routes->find(name);
    if (topic == nullptr) return fail(context, no_topic(name));
    auto asked = kj::heapArrayBuilder<kj::Promise<result<partition_status>>>(topic->partitions.size());
    for (auto& partition : topic->partitions)
      asked.add(status(partition));
    return kj::joinPromises(asked.finish()).then([context, routes, topic](auto statuses) mutable {
      auto out = context.getResults().initDescription();
      write_topic(*topic, out.initTopic());
      auto partitions = out.initPartitions(static_cast<unsigned>(statuses.size()));
      for (unsigned i = 0; i < partitions.size(); ++i)
        describe(static_cast<int32_t>(i), topic->partitions[i], statuses[i], partitions[i]);
    });
  }

  kj::Promise<void> deleteRecords(DeleteRecordsContext context) override {
    auto in = context.getParams();
    auto name = text_of(in.getTopic());
    auto routes = c_->node.env->routes->load();
    auto* topic = routes->find(name);
    if (topic == nullptr) return fail(context, no_topic(name));
    auto partition = local_leader(*routes, topic->id, partition_id{in.getPartition()});
    if (!partition) return fail(context, partition.error());
    auto made = bridge<offset>(c_->loop(), {ec::not_leader, "the partition's leader has ended"});
    auto command = std::make_shared<actors::delete_records_command>();
    command->before = offset{in.getBefore()};
    command->reply = made.reply;
    caf::anon_send(*partition, std::move(command));
    return kj::mv(made.promise).then([context](result<offset> outcome) mutable {
      if (!outcome) return wire::write_error(outcome.error(), context.getResults().initError());
      context.getResults().setLogStart(outcome->value());
    });
  }

  kj::Promise<void> cluster(ClusterContext context) override {
    auto routes = c_->node.env->routes->load();
    auto out = context.getResults().initInfo();
    wire::write(routes->cluster, out.initClusterId());
    out.setController(routes->controller.value());
    write_nodes(*routes, out.initNodes(static_cast<unsigned>(routes->nodes.size())));
    return kj::READY_NOW;
  }

  kj::Promise<void> health(HealthContext context) override {
    auto verdict = judge_health(*c_->node.env);
    auto out = context.getResults().initHealth();
    out.setHealthy(verdict.reasons.empty());
    auto reasons = out.initReasons(static_cast<unsigned>(verdict.reasons.size()));
    for (unsigned i = 0; i < reasons.size(); ++i)
      reasons.set(i, text(verdict.reasons[i]));
    out.setLeaderless(verdict.leaderless);
    out.setUnderReplicated(verdict.under_replicated);
    out.setBelowWanted(verdict.below_wanted);
    return kj::READY_NOW;
  }

private:
  static error no_topic(const std::string& name) {
    return {ec::unknown_topic, "there is no topic " + pessoa::quoted(name)};
  }

  kj::Promise<result<partition_status>> status(const actors::partition_route& route) {
    if (route.local == nullptr) {
      auto why = route.offline.value_or(error{ec::leader_not_available, "it has no leader here yet"});
      return result<partition_status>{std::move(why)};
    }
    auto made = bridge<partition_status>(c_->loop(), {ec::not_leader, "the partition's leader has ended"});
    caf::anon_send(route.local, std::make_shared<actors::status_query>(actors::status_query{made.reply}));
    return kj::mv(made.promise);
  }

  static void describe(int32_t index, const actors::partition_route& route, const result<partition_status>& status,
                       wire::PartitionDescription::Builder out) {
    write_partition(index, route, out.initPartition());
    // Of 10,000 partitions, each with an error, the answer must stay below what a reply may be.
    constexpr size_t reason_bytes_max = 256;
    if (!status) return wire::write_error(status.error(), out.initError(), reason_bytes_max);
    out.setLogStart(status->log_start.value());
    out.setHighWatermark(status->high_watermark.value());
    out.setLogEnd(status->log_end.value());
    out.setBytes(status->bytes);
    if (status->failed) wire::write_error(*status->failed, out.initError(), reason_bytes_max);
  }

  template <class Context>
  void answer_topic(Context& context, const committed_change& done, const topic_id& id) {
    auto routes = c_->node.env->routes->load();
    auto results = context.getResults();
    results.setIndex(done.index.value());
    if (auto* topic = routes->find(id)) return write_topic(*topic, results.initTopic());
    wire::write_error({ec::unknown_topic, "the topic was deleted meanwhile"}, results.initError());
  }

  template <class Context>
  static kj::Promise<void> fail(Context& context, const error& why) {
    wire::write_error(why, context.getResults().initError());
    return kj::READY_NOW;
  }

  std::shared_ptr<rpc_caller> c_;
};

} // namespace

wire::Admin::Client make_admin(std::shared_ptr<rpc_caller> caller) {
  return kj::heap<admin>(std::move(caller));
}

} // namespace pessoa::node
