#include "simulations/workload/writer.hpp"

namespace pessoa::sim {

writer::writer(client_process& in, history& past, std::string name, writer_options options)
    : in_(in), past_(past), name_(std::move(name)), options_(std::move(options)) {}

writer::~writer() {
  in_.loop().enter([this] {
    if (!producer_) return;
    producer_->end({ec::shutting_down, "the workload is over"});
    in_.core()->remove(producer_.get());
    producer_.reset();
  });
}

void writer::start() {
  auto made = std::make_shared<client::producer_engine>(in_.core(), in_.config());
  in_.core()->add(made);
  made->start([this, made](client::result<void> started) {
    if (started.ok()) {
      producer_ = made;
      begin();
      return;
    }
    made->end(started.error());
    in_.core()->remove(made.get());
    if (!stopped_) in_.after(200 * millisecond, [this] { start(); });
  });
}

void writer::begin() {
  if (stopped_) return;
  in_.after(around(in_.of().random().workload, options_.pause_mean), [this] {
    burst();
    begin();
  });
}

void writer::burst() {
  auto count = between(in_.of().random().workload, 1, options_.burst_max);
  for (int64_t i = 0; i < count && !stopped_; ++i)
    send_one();
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
  past_.sent(name, to, options_.idempotent);
  ++open_;
  auto done =
      producer_->append(topic, record, [this, name, topic](const client::result<client::delivery>& outcome) {
        --open_;
        if (outcome.ok())
          past_.acknowledged(name, {topic, outcome->partition}, outcome->offset);
        else
          past_.failed(name, outcome.error());
      });
  if (!done.ok()) {
    --open_;
    past_.failed(name, done.error());
  }
}

} // namespace pessoa::sim
