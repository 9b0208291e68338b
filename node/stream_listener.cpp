#include "node/stream_listener.hpp"

#include "schema/assert.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

namespace pessoa::node {

namespace {

// Farewells to who gets no connection, at one time and loop: above it they are closed without a word.
constexpr size_t farewells_max = 256;

kj::Duration to_kj(duration d) { return d.count() * kj::NANOSECONDS; }

error as_error(const kj::Exception& e) { return {ec::internal, std::string{e.getDescription().cStr()}}; }

} // namespace

struct stream_listener::shared {
  explicit shared(const stream_listener_options& options) : options(options), caps(options.connections) {}
  const stream_listener_options options;
  stream_listener_hooks hooks;
  std::shared_ptr<stream_protocol> protocol;
  connection_caps caps;
  std::shared_ptr<listening_socket> socket;
  uint16_t port = 0;
  std::string address;
  std::atomic<uint64_t> next_id{1}, accepted{0}, refused{0};
};

// What the listener has on one loop. Made and dropped anywhere; the room and all it holds live on the loop.
class stream_listener::lane : public std::enable_shared_from_this<lane> {
public:
  lane(std::shared_ptr<shared> state, io_loop& loop) : state_(std::move(state)), loop_(loop) {}

  void start() {
    loop_.post([self = shared_from_this(), socket = state_->socket]() mutable {
      auto& l = *self;
      l.room_ = std::make_unique<room>(l);
      l.room_->from = l.loop_.accept_from(std::move(socket));
      l.room_->accepting = l.accept_more().eagerlyEvaluate([&l](kj::Exception&& e) {
        if (l.state_->hooks.stopped_accepting) l.state_->hooks.stopped_accepting(as_error(e));
      });
    });
  }

  void stop(std::function<void()> done) {
    loop_.post([self = shared_from_this(), done = std::move(done)] {
      auto& l = *self;
      if (!l.room_) return done(); // its start was dropped
      l.room_->accepting = nullptr;
      l.room_->from = nullptr;
      for (auto& [id, connection] : l.room_->open)
        connection->close({ec::shutting_down, "the node is stopping"});
      auto too_late = l.loop_.timer().afterDelay(to_kj(l.state_->options.farewell));
      l.room_->ending = l.room_->tasks.onEmpty()
                            .exclusiveJoin(kj::mv(too_late))
                            .then([&l, done] {
                              // Not here: this promise is in the room.
                              l.loop_.post([self = l.shared_from_this(), done] {
                                self->room_ = nullptr;
                                done();
                              });
                            })
                            .eagerlyEvaluate(nullptr);
    });
  }

  // Everything goes, without a word, when the loop gets to it or ends.
  void drop() {
    loop_.post([self = shared_from_this()] { self->room_ = nullptr; });
  }

  [[nodiscard]] const stream_traffic& traffic() const { return traffic_; }

private:
  struct room final : kj::TaskSet::ErrorHandler {
    explicit room(lane& owner) : owner(owner), tasks(*this) {}
    void taskFailed(kj::Exception&& e) override { owner.refused("a connection", as_error(e)); }
    lane& owner;
    kj::Own<acceptor> from;
    std::map<uint64_t, stream_connection*> open; // by id
    size_t farewells = 0;
    kj::Promise<void> accepting = nullptr, sweeping = nullptr, ending = nullptr;
    bool sweeps = false;
    kj::TaskSet tasks; // the connections
  };
  // A connection in the room's list.
  struct member {
    member(room& where, uint64_t id, kj::Own<stream_connection> made)
        : where(where), id(id), connection(kj::mv(made)) {
      where.open[id] = connection.get();
    }
    ~member() noexcept(false) {
      where.open.erase(id);
      auto& hooks = where.owner.state_->hooks;
      if (hooks.closed) hooks.closed(*connection);
    }
    KJ_DISALLOW_COPY(member);
    room& where;
    const uint64_t id;
    kj::Own<stream_connection> connection;
  };

  kj::Promise<void> accept_more() {
    return room_->from->accept().then([this](acceptor::connection accepted) {
      ++state_->accepted;
      take(kj::mv(accepted));
      return accept_more();
    });
  }

  void take(acceptor::connection accepted) {
    auto peer = accepted.peer;
    auto slot = state_->caps.enter(peer);
    if (!slot) {
      refused(peer, slot.error());
      if (room_->farewells >= farewells_max) return;
      ++room_->farewells;
      auto counted = kj::defer([r = room_.get()] { --r->farewells; });
      auto farewell = kj::evalNow(
          [&] { return state_->protocol->turn_away(kj::mv(accepted.stream), loop_, slot.error()); });
      room_->tasks.add(farewell.catch_([](kj::Exception&&) {}).attach(kj::mv(counted)));
      return;
    }
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&] { admit(kj::mv(accepted), std::move(*slot)); }))
      refused(peer, as_error(*e));
    sweep_if_needed();
  }

  void admit(acceptor::connection accepted, std::unique_ptr<connection_caps::slot> slot) {
    auto id = state_->next_id++;
    auto made =
        state_->protocol->connect({id, kj::mv(accepted), loop_, std::move(slot), traffic_,
                                   [this](const std::string& who, const error& why) { refused(who, why); }});
    auto m = kj::heap<member>(*room_, id, kj::mv(made));
    if (state_->hooks.opened) state_->hooks.opened(*m->connection);
    auto run = m->connection->run();
    room_->tasks.add(run.attach(kj::mv(m)));
  }

  void refused(const std::string& peer, const error& why) {
    ++state_->refused;
    if (state_->hooks.refused) state_->hooks.refused(peer, why);
  }

  // Looks after the connections while there are some.
  void sweep_if_needed() {
    if (room_->sweeps || room_->open.empty()) return;
    room_->sweeps = true;
    room_->sweeping = sweep().eagerlyEvaluate(nullptr);
  }
  kj::Promise<void> sweep() {
    return loop_.timer()
        .afterDelay(to_kj(state_->options.sweep_interval))
        .then([this]() -> kj::Promise<void> {
          for (auto& [id, connection] : room_->open)
            connection->check_deadlines();
          room_->sweeps = !room_->open.empty();
          if (!room_->sweeps) return kj::READY_NOW;
          return sweep();
        });
  }

  std::shared_ptr<shared> state_;
  io_loop& loop_;
  alignas(64) stream_traffic traffic_; // its own cache line: counted at each read and write
  std::unique_ptr<room> room_;
};

std::unique_ptr<stream_listener> stream_listener::start(std::shared_ptr<listening_socket> socket,
                                                        std::vector<std::shared_ptr<io_loop>> loops,
                                                        std::shared_ptr<stream_protocol> protocol,
                                                        stream_listener_options options,
                                                        stream_listener_hooks hooks) {
  PESSOA_ASSERT(socket && !loops.empty() && protocol);
  PESSOA_ASSERT(options.sweep_interval.count() > 0);
  auto state = std::make_shared<shared>(options);
  state->port = socket->port();
  state->address = socket->address();
  state->socket = std::move(socket);
  state->protocol = std::move(protocol);
  state->hooks = std::move(hooks);
  std::unique_ptr<stream_listener> out{new stream_listener{state}};
  for (auto& loop : loops)
    out->lanes_.push_back(std::make_shared<lane>(state, *loop));
  out->unstopped_ = std::make_shared<std::atomic<size_t>>(loops.size());
  for (auto& l : out->lanes_)
    l->start();
  return out;
}

stream_listener::~stream_listener() {
  if (stopped_ && *unstopped_ == 0) return;
  for (auto& l : lanes_)
    l->drop();
}

void stream_listener::stop(std::function<void()> done) {
  PESSOA_ASSERT(!stopped_, "stopped twice");
  stopped_ = true;
  state_->socket = nullptr;
  for (auto& l : lanes_)
    l->stop([left = unstopped_, done] {
      if (--*left == 0) done();
    });
}

void stream_listener::stop() {
  struct signal {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  auto s = std::make_shared<signal>();
  stop([s] {
    std::lock_guard guard{s->mutex};
    s->done = true;
    s->changed.notify_all();
  });
  std::unique_lock lock{s->mutex};
  s->changed.wait(lock, [&] { return s->done; });
}

uint16_t stream_listener::port() const { return state_->port; }
const std::string& stream_listener::address() const { return state_->address; }

stream_listener_figures stream_listener::now() const {
  stream_listener_figures out;
  out.connections = state_->caps.open();
  out.accepted = state_->accepted;
  out.refused = state_->refused;
  for (auto& l : lanes_) {
    out.bytes_read += l->traffic().read;
    out.bytes_written += l->traffic().written;
    out.messages_read += l->traffic().messages;
    out.unanswered += l->traffic().unanswered;
  }
  return out;
}

} // namespace pessoa::node
