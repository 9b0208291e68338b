#include "node/rpc/consumer.hpp"

#include "node/rpc/requests.hpp"
#include "node/rpc/translate.hpp"

namespace pessoa::node {

namespace {

class consumer final : public wire::Consumer::Server {
public:
  explicit consumer(std::shared_ptr<rpc_caller> caller) : c_(std::move(caller)) {}

  kj::Promise<void> fetch(FetchContext context) override {
    auto asked = read_fetch_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error());
    if (reads_too_slowly()) return fail(context, slow_reader());
    auto place = c_->park();
    if (!place) return fail(context, place.error());

    auto command = std::make_shared<actors::fetch_command>();
    command->from = asked->from;
    command->bytes_min = asked->bytes_min;
    command->bytes_max = asked->bytes_max;
    command->deadline = c_->to.deadline_in(asked->wait_ms);
    context.releaseParams();
    context.allowCancellation();
    return c_->to.fetch(asked->topic, asked->partition, std::move(command))
        .then([this, context](result<actors::fetched> outcome) mutable {
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
        .attach(std::move(*place));
  }

  kj::Promise<void> offset(OffsetContext context) override {
    auto asked = read_offset_request(context.getParams().getRequest());
    if (!asked) return fail(context, asked.error());
    auto query = std::make_shared<actors::offset_query>();
    query->at = place_of(asked->at);
    query->time = asked->time;
    return c_->to.find_offset(asked->topic, asked->partition, std::move(query))
        .then([context](result<actors::offset_answer> outcome) mutable {
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
