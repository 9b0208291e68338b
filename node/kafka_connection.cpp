#include "node/kafka_connection.hpp"

#include "node/linger.hpp"
#include "node/rpc_abort.hpp"
#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::node {

namespace {

constexpr size_t first_bytes = 32u << 20; // of each kind, before the first answer
constexpr size_t write_pieces_max = 64;

kj::Duration to_kj(duration d) { return d.count() * kj::NANOSECONDS; }

kafka_request_budgets for_connection(const kafka_listener_budgets& all,
                                     const kafka_connection_options& options) {
  return {all.first_small, all.first_large, byte_budget::make(options.small_budget_bytes, all.small),
          byte_budget::make(options.budget_bytes, all.large)};
}

} // namespace

kafka_listener_budgets kafka_listener_budgets::of(std::shared_ptr<byte_budget> node) {
  // Large requests leave a quarter of the node's bytes to small ones.
  auto large = byte_budget::make(std::max<size_t>(node->now().limit / 4 * 3, 1), node);
  return {byte_budget::make(first_bytes), byte_budget::make(first_bytes), std::move(node), std::move(large)};
}

kafka_connection::kafka_connection(stream_arrival arrival, const kafka_connection_options& options,
                                   const kafka_listener_budgets& budgets, kafka::service& service,
                                   std::unique_ptr<kafka::gateway> to)
    : loop_(arrival.loop), options_(options), service_(service), traffic_(arrival.traffic),
      on_refused_(std::move(arrival.on_refused)), slot_(std::move(arrival.slot)),
      caller_(std::make_shared<kafka::caller>()), stream_(kj::mv(arrival.accepted.stream)),
      frames_(*stream_, loop_, options.frames, for_connection(budgets, options), traffic_),
      muted_until_(loop_.timer().now()), write_began_(muted_until_), last_written_(muted_until_) {
  PESSOA_ASSERT(options_.open_requests_max > 0 && options_.write_bytes_max > 0);
  caller_->peer = std::move(arrival.accepted.peer);
  if (auto reached = parse_host_port(arrival.accepted.local)) caller_->reached = std::move(*reached);
  caller_->to = std::move(to);
}

kafka_connection::~kafka_connection() noexcept(false) {
  traffic_.unanswered.fetch_sub(turns_.size(), std::memory_order_relaxed);
}

kj::Promise<void> kafka_connection::run() {
  reading_ = read_on().eagerlyEvaluate([this](kj::Exception&& e) { broken(e); });
  writing_ = write_on().eagerlyEvaluate([this](kj::Exception&& e) { broken(e); });
  // While we do not read, only this tells that nobody is there any more.
  auto gone = stream_->whenWriteDisconnected().then([this] { peer_gone_ = true; });
  return end_.promise.exclusiveJoin(kj::mv(gone)).then([this] { return finish(); });
}

// -- requests ---

kj::Promise<void> kafka_connection::read_on() {
  return when_allowed().then([this]() -> kj::Promise<void> {
    if (leaving_) return kj::READY_NOW;
    return frames_.next().then([this](result<std::optional<kafka_frame>> got) -> kj::Promise<void> {
      if (!got) {
        refuse(got.error());
        return kj::READY_NOW;
      }
      if (!*got) {
        peer_gone_ = true;
        end();
        return kj::READY_NOW;
      }
      // An answer that was written meanwhile may have muted the peer.
      return when_allowed().then([this, frame = std::move(**got)]() mutable -> kj::Promise<void> {
        if (leaving_) return kj::READY_NOW;
        serve(std::move(frame));
        return read_on();
      });
    });
  });
}

kj::Promise<void> kafka_connection::when_allowed() {
  if (leaving_ || ended_) return kj::READY_NOW;
  if (muted_until_ > loop_.timer().now())
    return loop_.timer().atTime(muted_until_).then([this] { return when_allowed(); });
  if (has_room()) return kj::READY_NOW;
  auto made = kj::newPromiseAndFulfiller<void>();
  wake_reader_ = kj::mv(made.fulfiller);
  return made.promise.then([this] { return when_allowed(); });
}

bool kafka_connection::has_room() const {
  auto requests_max = known_ ? options_.open_requests_max : options_.open_requests_before_first_max;
  return turns_.size() < requests_max && unsent_bytes() < options_.unsent_bytes_max;
}

void kafka_connection::serve(kafka_frame frame) {
  auto& t = *turns_.emplace_back(std::make_unique<turn>());
  traffic_.unanswered.fetch_add(1, std::memory_order_relaxed);
  kafka::request_frame request{std::move(frame.data), frame.size,
                               std::make_shared<byte_budget::ticket>(std::move(frame.ticket))};
  auto serving = kj::evalNow([&] { return service_.serve(caller_, std::move(request)); });
  t.serving = serving.then([this, &t](kafka::answer answer) { answered(t, std::move(answer)); })
                  .eagerlyEvaluate([this](kj::Exception&& e) {
                    refuse({ec::internal, std::string{"a request failed: "} + e.getDescription().cStr()});
                  });
}

void kafka_connection::answered(turn& of, kafka::answer answer) {
  if (answer.close) {
    leaving_ = true; // what comes behind it is not served
  } else {
    known_ = true;
    frames_.set_known();
  }
  if (answer.message) answered_bytes_ += answer.message->size;
  of.answer = std::move(answer);
  if (wake_writer_) wake_writer_->fulfill(); // not here: this is in the turn
}

// -- answers ---

kj::Promise<void> kafka_connection::write_on() {
  line_up();
  settle();
  if (ended_) return kj::READY_NOW;
  if (outgoing_.empty()) {
    if (leaving_ && turns_.empty()) {
      end();
      return kj::READY_NOW;
    }
    auto made = kj::newPromiseAndFulfiller<void>();
    wake_writer_ = kj::mv(made.fulfiller);
    return made.promise.then([this] { return write_on(); });
  }
  auto count = fill_chunk();
  writing_now_ = true;
  write_began_ = loop_.timer().now();
  return stream_->write(kj::arrayPtr(chunk_.data(), chunk_.size())).then([this, count] {
    wrote(count);
    return write_on();
  });
}

// Moves the answers whose turn it is to what is written.
void kafka_connection::line_up() {
  while (lined_up_ < turns_.size() && turns_[lined_up_]->answer) {
    if (lined_up_ > 0 && turns_[lined_up_ - 1]->answer->close) return; // the last one there is
    auto& t = *turns_[lined_up_++];
    if (t.answer->message) {
      queued_ += t.answer->message->size;
      for (auto& piece : t.answer->message->pieces)
        if (!piece.empty()) outgoing_.push_back(std::move(piece));
      t.answer->message.reset();
    }
    t.end = queued_;
  }
}

// Lets go of the turns whose answer is written, and does what it says about the connection.
void kafka_connection::settle() {
  while (lined_up_ > 0 && turns_.front()->end <= written_ && !ended_) {
    auto done = std::move(turns_.front());
    turns_.pop_front();
    --lined_up_;
    traffic_.unanswered.fetch_sub(1, std::memory_order_relaxed);
    if (done->answer->mute.count() > 0)
      muted_until_ = std::max(muted_until_, loop_.timer().now() + to_kj(done->answer->mute));
    if (done->answer->close) refuse(*done->answer->close);
  }
  if (wake_reader_ && has_room()) {
    wake_reader_->fulfill();
    wake_reader_ = nullptr;
  }
}

size_t kafka_connection::fill_chunk() {
  chunk_.clear();
  size_t count = 0;
  for (auto& piece : outgoing_) {
    if (chunk_.size() == write_pieces_max || count == options_.write_bytes_max) break;
    auto some = std::min(piece.size(), options_.write_bytes_max - count);
    chunk_.push_back(kj::arrayPtr(piece.data(), some));
    count += some;
  }
  return count;
}

void kafka_connection::wrote(size_t count) {
  writing_now_ = false;
  last_written_ = loop_.timer().now();
  traffic_.written.fetch_add(count, std::memory_order_relaxed);
  written_ += count;
  while (count > 0) {
    auto& front = outgoing_.front();
    if (count < front.size()) {
      front = front.slice(count, front.size() - count);
      return;
    }
    count -= front.size();
    outgoing_.pop_front();
  }
}

// -- the end ---

void kafka_connection::close(error) {
  if (ended_ || leaving_) return;
  leaving_ = true; // Kafka has no word for why
  reading_ = nullptr;
  if (wake_writer_) wake_writer_->fulfill();
}

void kafka_connection::check_deadlines() {
  if (ended_) return;
  if (auto late = frames_.overdue(); late && !leaving_) return refuse(std::move(*late));
  auto now = loop_.timer().now();
  if (writing_now_ && now >= write_began_ + to_kj(options_.slow_reader_deadline))
    return refuse({ec::overloaded,
                   std::to_string(unsent_bytes())
                       + " bytes of answers wait for the peer, which takes less than "
                       + std::to_string(options_.write_bytes_max) + " in "
                       + std::to_string(options_.slow_reader_deadline / std::chrono::seconds{1}) + " s"});
  if (auto since = frames_.idle_since();
      since && !leaving_ && turns_.empty()
      && now >= std::max(*since, last_written_) + to_kj(options_.idle_deadline))
    refuse({ec::timed_out, "nothing was asked for "
                               + std::to_string(options_.idle_deadline / std::chrono::seconds{1}) + " s"});
}

void kafka_connection::refuse(error reason) {
  if (ended_) return;
  on_refused_(caller_->peer, reason);
  end();
}

void kafka_connection::broken(const kj::Exception& e) {
  if (e.getType() != kj::Exception::Type::DISCONNECTED)
    return refuse({ec::internal, std::string{e.getDescription().cStr()}});
  peer_gone_ = true;
  end();
}

// Not more than this: whoever calls may stand in a promise that finish() takes away.
void kafka_connection::end() {
  if (std::exchange(ended_, true)) return;
  leaving_ = true;
  end_.fulfiller->fulfill();
}

kj::Promise<void> kafka_connection::finish() {
  ended_ = leaving_ = true;
  reading_ = nullptr;
  writing_ = nullptr;
  traffic_.unanswered.fetch_sub(turns_.size(), std::memory_order_relaxed);
  turns_.clear(); // parked requests hear that nobody waits for them
  lined_up_ = 0;
  outgoing_.clear();
  if (peer_gone_) return kj::READY_NOW;
  return last_words()
      .then([this] { stream_->shutdownWrite(); })
      .exclusiveJoin(loop_.timer().afterDelay(to_kj(options_.farewell)))
      .catch_([](kj::Exception&&) {}) // the peer has gone before us
      .then([this] { return linger(*stream_, loop_.timer(), options_.farewell); });
}

kj::Promise<void> kafka_connection::last_words() {
  switch (frames_.spoken()) {
  case foreign_protocol::http: {
    auto text = std::make_unique<std::string>(http_refusal("the Kafka protocol", options_.http_hint));
    auto writing = stream_->write(text->data(), text->size());
    return writing.attach(kj::mv(text));
  }
  case foreign_protocol::pessoa_rpc:
    return write_abort(
        *stream_, {ec::wrong_protocol, "that is the Kafka listener of this cluster"
                                           + (options_.rpc_hint.empty() ? "" : "; " + options_.rpc_hint)});
  default:
    return kj::READY_NOW;
  }
}

} // namespace pessoa::node
