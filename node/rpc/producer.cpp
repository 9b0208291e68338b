#include "node/rpc/producer.hpp"

#include "actors/type_ids.hpp"
#include "node/rpc/translate.hpp"

#include <caf/send.hpp>

namespace pessoa::node {

namespace {

using protocol::acks;

class producer final : public wire::Producer::Server {
public:
  explicit producer(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> produce(ProduceContext context) override {
    auto request = context.getParams().getRequest();
    auto data = request.getBatch();
    byte_view batch{data.begin(), data.size()};
    target to{wire::read<topic_id>(request.getTopic()), partition_id{request.getPartition()}, request.getAcks(),
              request.getTimeoutMs(), request.getEpoch()};
    auto sent = send(to, batch);
    // The bytes are ours now; the message can go while the answer is awaited.
    context.releaseParams();
    if (!sent) return fail(context, sent.error()), kj::READY_NOW;
    return kj::mv(sent->promise).then([context](result<protocol::produced> outcome) mutable { fill(context, outcome); });
  }

  kj::Promise<void> produceRecords(ProduceRecordsContext context) override {
    auto request = context.getParams().getRequest();
    auto built = build(request.getRecords());
    if (!built) return fail(context, built.error()), kj::READY_NOW;
    target to{wire::read<topic_id>(request.getTopic()), partition_id{request.getPartition()}, request.getAcks(),
              request.getTimeoutMs(), no_epoch.value()};
    auto sent = send(to, *built);
    context.releaseParams();
    if (!sent) return fail(context, sent.error()), kj::READY_NOW;
    return kj::mv(sent->promise).then([context](result<protocol::produced> outcome) mutable { fill(context, outcome); });
  }

private:
  struct target {
    topic_id topic;
    partition_id partition;
    int8_t level;
    uint32_t timeout_ms;
    int32_t epoch;
  };

  // Checks what needs no state, copies the batch once and hands it to its partition.
  result<bridged<protocol::produced>> send(const target& to, byte_view batch) {
    if (to.level < -1 || to.level > 1)
      return error{ec::invalid_required_acks, "acks " + std::to_string(to.level) + " is none of -1 (all), 1 and 0"};
    auto routes = c_->node.env->routes->load();
    PESSOA_TRY(auto partition, local_leader(*routes, to.topic, to.partition));
    batch_limits limits;
    limits.batch_bytes_max = std::min<size_t>(
      message_bytes_max, static_cast<size_t>(routes->find(to.topic)->config.max_message_bytes));
    PESSOA_TRY(auto facts, validate_batch(batch, limits));

    auto command = std::make_shared<actors::produce_command>();
    command->charge = std::make_shared<byte_budget::ticket>(c_->connection->budget()->take(batch.size()));
    command->batch = std::shared_ptr<uint8_t[]>(new uint8_t[batch.size()]);
    std::memcpy(command->batch.get(), batch.data(), batch.size());
    command->facts = facts;
    command->level = static_cast<acks>(to.level);
    command->deadline = deadline_in(*c_, to.timeout_ms);
    if (to.epoch >= 0) command->known_epoch = leader_epoch{to.epoch};
    auto made = bridge<protocol::produced>(c_->loop(), {ec::not_leader, "the partition's leader has ended"});
    command->reply = made.reply;
    caf::anon_send(partition, std::move(command));
    return kj::mv(made);
  }

  result<std::vector<uint8_t>> build(capnp::List<wire::Record>::Reader records) {
    if (records.size() == 0) return error{ec::invalid_argument, "no record was sent"};
    // A list may claim far more entries than its message has bytes.
    if (records.size() > static_cast<size_t>(batch_builder::records_max))
      return error{ec::message_too_large, std::to_string(records.size()) + " records were sent, at most "
                                              + std::to_string(batch_builder::records_max)
                                              + " make one batch"};
    auto now = c_->node.env->time->wall();
    batch_builder builder;
    for (auto record : records) {
      record_view view;
      view.time = record.getTimestamp() < 0 ? now : timestamp{record.getTimestamp()};
      if (auto key = record.getKey(); key.isSome()) view.key = byte_view{key.getSome().begin(), key.getSome().size()};
      if (auto value = record.getValue(); value.isSome())
        view.value = byte_view{value.getSome().begin(), value.getSome().size()};
      auto headers = record.getHeaders();
      if (headers.size() > headers_per_record_max)
        return error{ec::message_too_large, "a record has " + std::to_string(headers.size())
                                                + " headers, at most "
                                                + std::to_string(headers_per_record_max) + " are possible"};
      for (auto header : headers) {
        header_view out{{header.getKey().cStr(), header.getKey().size()}, std::nullopt};
        if (auto value = header.getValue(); value.isSome())
          out.value = byte_view{value.getSome().begin(), value.getSome().size()};
        view.headers.push_back(out);
      }
      if (builder.size() + batch_builder::upper_bound(view) > message_bytes_max)
        return error{ec::message_too_large,
                     "the records make a batch above " + std::to_string(message_bytes_max) + " bytes"};
      builder.add(view);
    }
    return builder.finish();
  }

  template <class Context>
  static void fail(Context& context, const error& why) {
    wire::write_error(why, context.getResults().initError());
  }

  template <class Context>
  static void fill(Context& context, const result<protocol::produced>& outcome) {
    if (!outcome) return fail(context, outcome.error());
    auto out = context.getResults().initResult();
    out.setBaseOffset(outcome->base.value());
    out.setAppendTime(outcome->append_time.value());
    out.setLogStart(outcome->log_start.value());
    out.setDuplicate(outcome->duplicate);
  }

  std::shared_ptr<rpc_caller> c_;
};

} // namespace

wire::Producer::Client make_producer(std::shared_ptr<rpc_caller> caller) {
  return kj::heap<producer>(std::move(caller));
}

} // namespace pessoa::node
