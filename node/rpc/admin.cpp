#include "node/rpc/admin.hpp"

#include "node/health.hpp"
#include "node/rpc/requests.hpp"
#include "node/rpc/translate.hpp"

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
    return c_->to.create_topic(std::move(*asked))
        .then([this, context](result<committed_change> done) mutable {
          if (!done) return fail(context, done.error());
          // The caller may produce as soon as it hears: wait until what this node leads is led.
          return c_->to.all_ready().then(
              [this, context, done = *done]() mutable { answer_topic(context, done, *done.topic); });
        });
  }

  kj::Promise<void> deleteTopic(DeleteTopicContext context) override {
    return c_->to.delete_topic(text_of(context.getParams().getName()))
        .then([context](result<committed_change> done) mutable -> kj::Promise<void> {
          if (!done) return fail(context, done.error());
          context.getResults().setIndex(done->index.value());
          return kj::READY_NOW;
        });
  }

  kj::Promise<void> alterTopic(AlterTopicContext context) override {
    auto asked = read_alter_topic_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error());
    auto name = asked->name;
    return c_->to.alter_topic(std::move(*asked))
        .then([this, context, name](result<committed_change> done) mutable {
          if (!done) return fail(context, done.error());
          return c_->to.all_ready().then([this, context, name, done = *done]() mutable {
            auto routes = c_->to.routes();
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
    auto routes = c_->to.routes();
    auto* topic = routes->find(name);
    if (topic == nullptr) return fail(context, no_topic(name));
    auto asked = kj::heapArrayBuilder<kj::Promise<result<partition_status>>>(topic->partitions.size());
    for (auto& partition : topic->partitions)
      asked.add(c_->to.status(partition));
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
    auto routes = c_->to.routes();
    auto* topic = routes->find(name);
    if (topic == nullptr) return fail(context, no_topic(name));
    return c_->to.delete_records(topic->id, partition_id{in.getPartition()}, offset{in.getBefore()})
        .then([context](result<offset> outcome) mutable {
          if (!outcome) return wire::write_error(outcome.error(), context.getResults().initError());
          context.getResults().setLogStart(outcome->value());
        });
  }

  kj::Promise<void> cluster(ClusterContext context) override {
    auto routes = c_->to.routes();
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

  static void describe(int32_t index, const actors::partition_route& route,
                       const result<partition_status>& status, wire::PartitionDescription::Builder out) {
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
    auto routes = c_->to.routes();
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
