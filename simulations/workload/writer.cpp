#include "simulations/workload/writer.hpp"

#include "client/rpc/wire_words.hpp"

namespace pessoa::sim {

writer::writer(client_process& in, history& past, std::string name, writer_options options)
    : in_(in), past_(past), name_(std::move(name)), options_(std::move(options)) {}

writer::~writer() {
  in_.loop().enter([this] { end_producer(); });
}

void writer::end_producer() {
  if (!producer_) return;
  producer_->end({ec::shutting_down, "the workload is over"});
  in_.core()->remove(producer_.get());
  producer_.reset();
}

void writer::start() {
  start_producer();
  begin();
}

void writer::start_producer() {
  auto made = std::make_shared<client::producer_engine>(in_.core(), in_.config());
  in_.core()->add(made);
  made->start([this, made](client::result<void> started) {
    if (started.ok()) {
      producer_ = made;
      return;
    }
    made->end(started.error());
    in_.core()->remove(made.get());
    if (!stopped_) in_.after(200 * millisecond, [this] { start_producer(); });
  });
}

void writer::begin() {
  if (stopped_) return;
  in_.after(around(in_.of().random().workload, options_.pause_mean), [this] {
    renew();
    if (producer_) burst();
    begin();
  });
}

void writer::burst() {
  auto count = between(in_.of().random().workload, 1, options_.burst_max);
  for (int64_t i = 0; i < count && !stopped_; ++i)
    send_one();
  if (in_.of().random().workload.below(1000) < options_.id_per_mille) ask_for_id();
}

void writer::renew() {
  if (!producer_ || open_ > 0 || stopped_
      || in_.of().random().workload.below(1000) >= options_.renew_per_mille)
    return;
  end_producer();
  start_producer();
}

void writer::ask_for_id() {
  auto asking =
      in_.core()->ask<int64_t>("getting a producer id", client::engine::repeat::always, [](client::link& at) {
        auto call = at.session().producerRequest();
        call.setIdempotent(true);
        return call.send().then(
            [](capnp::Response<wire::Session::ProducerResults>&& answer) -> client::result<int64_t> {
              if (answer.hasError()) return client::error_of(answer.getError());
              return answer.getProducerId();
            });
      });
  in_.run(asking.then([this](client::result<int64_t> id) {
    if (id.ok()) past_.id_given(*id);
  }));
}

void writer::send_one() {
  auto& random = in_.of().random().workload;
  auto& topic = options_.topics[random.below(options_.topics.size())];
  auto name = name_ + "-" + std::to_string(next_++) + "-";
  name.append(static_cast<size_t>(between(random, 0, options_.padding_max)),
              static_cast<char>('a' + next_ % 26));
  client::record_ref record;
  record.value = name;
  // Known to the history first: with a fast answer the callback may come before append() returns.
  place to{topic, -1};
  auto accepted = std::make_shared<bool>(false);
  bool patient = in_.config().delivery_timeout >= std::chrono::minutes{1};
  past_.sent(name, to, options_.idempotent, patient);
  ++open_;
  auto done =
      producer_->append(topic, record, [this, name, topic](const client::result<client::delivery>& outcome) {
        --open_;
        if (outcome.ok())
          past_.acknowledged(name, {topic, outcome->partition}, outcome->offset);
        else
          past_.failed(name, outcome.error());
      });
  if (done.ok()) return past_.taken(name);
  --open_;
  past_.turned_away(name, done.error());
}

} // namespace pessoa::sim
