#include "simulations/workload/kafka_link.hpp"

#include <algorithm>

namespace pessoa::sim {

namespace {

// Above what any answer here can be: a fetch's bound, one batch more, and what is around them.
constexpr int32_t answer_bytes_max = 32 << 20;
constexpr world_time watch_interval = 100 * millisecond;

} // namespace

kafka_link::kafka_link(program& in, kj::Own<kj::AsyncIoStream> stream, std::string client_id,
                       world_time patience)
    : in_(in), stream_(kj::mv(stream)), client_id_(std::move(client_id)), patience_(patience) {
  reading_ = read_on().eagerlyEvaluate([this](kj::Exception&& e) { broken(e); });
  watching_ = watch().eagerlyEvaluate([this](kj::Exception&& e) { broken(e); });
}

kj::Promise<void> kafka_link::lost() { return kj::mv(lost_.promise); }

// -- requests ---

kj::Promise<result<bytes>> kafka_link::send(std::vector<uint8_t> message, int32_t number, world_time extra) {
  if (end_) return result<bytes>{*end_};
  auto made = kj::newPromiseAndFulfiller<result<bytes>>();
  auto deadline = in_.loop().timer().now() + (patience_ + extra) * kj::NANOSECONDS;
  waiting_.push_back({number, deadline, kj::mv(made.fulfiller)});
  unsent_.push_back(std::move(message));
  if (!writing_now_) writing_ = write_on().eagerlyEvaluate([this](kj::Exception&& e) { broken(e); });
  return kj::mv(made.promise);
}

kj::Promise<void> kafka_link::write_on() {
  writing_now_ = !unsent_.empty() && !end_;
  if (!writing_now_) return kj::READY_NOW;
  sending_ = std::move(unsent_.front());
  unsent_.pop_front();
  return stream_->write(sending_.data(), sending_.size()).then([this] { return write_on(); });
}

// -- answers ---

kj::Promise<void> kafka_link::read_on() {
  return stream_->tryRead(head_, sizeof head_, sizeof head_).then([this](size_t count) -> kj::Promise<void> {
    if (end_) return kj::READY_NOW;
    if (count < sizeof head_) {
      end({ec::disconnected, "the node closed the connection"});
      return kj::READY_NOW;
    }
    auto size = load_be<int32_t>(head_);
    if (size < 4 || size > answer_bytes_max) {
      wrong("an answer of " + std::to_string(size) + " bytes");
      return kj::READY_NOW;
    }
    auto body = std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(size));
    return stream_->tryRead(body->data(), body->size(), body->size())
        .then([this, body](size_t had) -> kj::Promise<void> {
          if (end_) return kj::READY_NOW;
          if (had < body->size()) {
            end({ec::disconnected, "the node closed the connection inside an answer"});
            return kj::READY_NOW;
          }
          take(bytes{body, byte_view{*body}});
          return read_on();
        });
  });
}

void kafka_link::take(bytes message) {
  auto number = load_be<int32_t>(message.data());
  if (waiting_.empty() || waiting_.front().number != number)
    return wrong("an answer to request " + std::to_string(number)
                 + (waiting_.empty() ? ", and nothing was asked"
                                     : ", the next one is " + std::to_string(waiting_.front().number)));
  auto first = std::move(waiting_.front());
  waiting_.pop_front();
  first.answer->fulfill(std::move(message));
}

// -- the end ---

// Deadlines need no more than this: a late request ends the link, as in every client that cannot tell what became of it.
kj::Promise<void> kafka_link::watch() {
  return in_.sleep(watch_interval).then([this]() -> kj::Promise<void> {
    if (end_) return kj::READY_NOW;
    auto now = in_.loop().timer().now();
    if (std::any_of(waiting_.begin(), waiting_.end(), [now](auto& w) { return w.deadline <= now; })) {
      end({ec::timed_out, "no answer in time"});
      return kj::READY_NOW;
    }
    return watch();
  });
}

void kafka_link::wrong(const std::string& what) {
  in_.of().fail("kafka_is_spoken_right", in_.name() + ": " + what);
  end({ec::malformed_message, what});
}

void kafka_link::broken(const kj::Exception& e) {
  in_.expect_lost(e);
  end({ec::disconnected, e.getDescription().cStr()});
}

// Destroys nothing of its own: it may run in a promise of the link's.
void kafka_link::end(error why) {
  if (end_) return;
  end_ = std::move(why);
  unsent_.clear();
  for (auto& each : std::exchange(waiting_, {}))
    each.answer->fulfill(result<bytes>{*end_});
  lost_.fulfiller->fulfill();
}

} // namespace pessoa::sim
