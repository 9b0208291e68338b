#include "node/rpc/producer.hpp"

#include "node/rpc/requests.hpp"
#include "node/rpc/translate.hpp"

namespace pessoa::node {

namespace {

using protocol::acks;

class producer final : public wire::Producer::Server {
public:
  explicit producer(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> produce(ProduceContext context) override {
    auto asked = read_produce_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error()), kj::READY_NOW;
    return answer(context, send(asked->to, asked->batch));
  }

  kj::Promise<void> produceRecords(ProduceRecordsContext context) override {
    auto asked = read_produce_records_request(context.getParams().getRequest(), c_->node.env->time->wall());
    if (!asked) return fail(context, asked.error()), kj::READY_NOW;
    return answer(context, send(asked->to, asked->batch));
  }

private:
  using sent_batch = kj::Promise<result<protocol::produced>>;

  template <class Context>
  static kj::Promise<void> answer(Context& context, result<sent_batch> sent) {
    // The bytes are ours now; the message can go while the answer is awaited.
    context.releaseParams();
    if (!sent) return fail(context, sent.error()), kj::READY_NOW;
    return kj::mv(*sent).then(
        [context](result<protocol::produced> outcome) mutable { fill(context, outcome); });
  }

  // Checks the batch, copies it once and hands it to its partition.
  result<sent_batch> send(const produce_target& to, byte_view batch) {
    batch_limits limits;
    limits.batch_bytes_max = message_bytes_max;
    auto routes = c_->to.routes();
    if (auto* topic = routes->find(to.topic)) // else the front says so
      limits.batch_bytes_max =
          std::min(limits.batch_bytes_max, static_cast<size_t>(topic->config.max_message_bytes));
    PESSOA_TRY(auto facts, validate_batch(batch, limits));

    auto command = std::make_shared<actors::produce_command>();
    command->charge = std::make_shared<byte_budget::ticket>(c_->connection->budget()->take(batch.size()));
    command->batch = std::shared_ptr<uint8_t[]>(new uint8_t[batch.size()]);
    std::memcpy(command->batch.get(), batch.data(), batch.size());
    command->facts = facts;
    command->level = static_cast<acks>(to.acks);
    command->deadline = c_->to.deadline_in(to.timeout_ms);
    command->known_epoch = to.epoch;
    return c_->to.produce(to.topic, to.partition, std::move(command));
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
