#include "node/rpc/consumer.hpp"

#include "actors/type_ids.hpp"
#include "node/rpc/requests.hpp"
#include "node/rpc/translate.hpp"

#include <caf/send.hpp>

namespace pessoa::node {

namespace {

class consumer final : public wire::Consumer::Server {
public:
  explicit consumer(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> fetch(FetchContext context) override {
    auto asked = read_fetch_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error());
    if (reads_too_slowly()) return fail(context, slow_reader());
    auto routes = c_->node.env->routes->load();
    auto partition = local_leader(*routes, asked->topic, asked->partition);
    if (!partition) return fail(context, partition.error());

    auto place = c_->park();
    if (!place) return fail(context, place.error());

    auto command = std::make_shared<actors::fetch_command>();
    command->from = asked->from;
    command->bytes_min = asked->bytes_min;
    command->bytes_max = asked->bytes_max;
    command->deadline = deadline_in(*c_, asked->wait_ms);
    // Parked fetches cost nothing; what they read when they wake is counted before it is in memory.
    command->reserve = [replies = c_->replies](size_t bytes) -> std::shared_ptr<void> {
      auto ticket = replies->try_acquire(bytes);
      if (!ticket) return nullptr;
      return std::make_shared<byte_budget::ticket>(std::move(*ticket));
    };
    auto made = bridge<actors::fetched>(c_->loop(), {ec::not_leader, "the partition's leader has ended"});
    command->reply = made.reply;
    caf::anon_send(*partition, command);
    context.releaseParams();
    context.allowCancellation();
    // When the caller goes away the parked fetch need not wait for its deadline.
    auto answered = std::make_shared<bool>(false);
    // It must not hold the command: the responder in it answers when its last owner, the leader, goes.
    auto watch =
        kj::defer([leader = *partition, sent = std::weak_ptr<actors::fetch_command>{command}, answered] {
          if (auto open = sent.lock(); open && !*answered)
            caf::anon_send(
                leader, std::make_shared<actors::fetch_abandoned>(actors::fetch_abandoned{std::move(open)}));
        });
    return kj::mv(made.promise)
        .then([this, context, answered](result<actors::fetched> outcome) mutable {
          *answered = true;
          // Many may have been asked for at once: what waits for the peer is bounded here, where it is put there.
          if (outcome && reads_too_slowly()) outcome = slow_reader();
          if (!outcome) return wire::write_error(outcome.error(), context.getResults().initError());
          auto& got = *outcome;
          auto out = context.getResults(capnp::MessageSize{got.batches.size() / sizeof(capnp::word) + 64, 0})
                         .initResult();
          auto data = out.initBatches(static_cast<unsigned>(got.batches.size()));
          if (!got.batches.empty()) std::memcpy(data.begin(), got.batches.data(), got.batches.size());
          out.setHighWatermark(got.high_watermark.value());
          out.setLogStart(got.log_start.value());
          out.setNextOffset(got.next.value());
        })
        .attach(kj::mv(watch), std::move(*place));
  }

  kj::Promise<void> offset(OffsetContext context) override {
    auto asked = read_offset_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error());
    auto routes = c_->node.env->routes->load();
    auto partition = local_leader(*routes, asked->topic, asked->partition);
    if (!partition) return fail(context, partition.error());
    auto query = std::make_shared<actors::offset_query>();
    query->at = place_of(asked->at);
    query->time = asked->time;
    auto made = bridge<actors::offset_answer>(c_->loop(), {ec::not_leader, "the partition's leader has ended"});
    query->reply = made.reply;
    caf::anon_send(*partition, std::move(query));
    return kj::mv(made.promise).then([context](result<actors::offset_answer> outcome) mutable {
      if (!outcome) return wire::write_error(outcome.error(), context.getResults().initError());
      auto out = context.getResults().initResult();
      out.setOffset(outcome->at.value());
      out.setTimestamp(outcome->time.value());
      out.setEpoch(outcome->epoch.value());
      out.setLogEnd(outcome->log_end.value());
    });
  }

private:
  static actors::offset_query::place place_of(offset_request::place at) {
    switch (at) {
    case offset_request::place::start:
      return actors::offset_query::place::start;
    case offset_request::place::end:
      return actors::offset_query::place::end;
    case offset_request::place::time:
      break;
    }
    return actors::offset_query::place::time;
  }
  [[nodiscard]] bool reads_too_slowly() const {
    return c_->connection->outgoing_bytes() > unread_answers_bytes_max;
  }
  static error slow_reader() {
    return {ec::overloaded, "more than " + std::to_string(unread_answers_bytes_max)
                                + " bytes of answers wait to be read on this connection"};
  }

  template <class Context>
  static kj::Promise<void> fail(Context& context, const error& why) {
    wire::write_error(why, context.getResults().initError());
    return kj::READY_NOW;
  }

  std::shared_ptr<rpc_caller> c_;
};

} // namespace

wire::Consumer::Client make_consumer(std::shared_ptr<rpc_caller> caller) {
  return kj::heap<consumer>(std::move(caller));
}

} // namespace pessoa::node
