#include "simulations/workload/hostile.hpp"

namespace pessoa::sim {

namespace {

constexpr world_time connect_timeout = second;
constexpr int64_t silence_ms_max = 15'000;  // past a listener's first deadline, and its slow ones
constexpr int64_t stubborn_ms_max = 45'000; // past the deadline for who takes no answers

} // namespace

const std::vector<hostile::trick>& hostile::tricks() {
  static const std::vector<trick> all = {
      {"nonsense", 3, &hostile::talk_nonsense},
      {"lie", 3, &hostile::lie},
      {"silence", 3, &hostile::fall_silent},
      {"damage", 6, &hostile::damage},
      {"wrong_port", 2, &hostile::come_to_the_wrong_port},
      {"take_nothing", 2, &hostile::take_nothing},
      {"crowd", 1, &hostile::come_in_a_crowd},
      {"leave_early", 3, &hostile::leave_early},
  };
  return all;
}

hostile::hostile(program& in, hostile_options options, uint64_t seed)
    : in_(in), options_(std::move(options)), random_(seed) {}

hostile::~hostile() {
  in_.loop().enter([this] { in_.drop_tasks(); });
}

void hostile::start() { go_on(); }

// -- visits ---

void hostile::go_on() {
  in_.after(around(random_, options_.pause_mean), [this] {
    if (here_ < options_.visits_max) {
      ++here_;
      in_.run(ignore_loss(pay_visit()).then([this] { --here_; }));
    }
    go_on();
  });
}

kj::Promise<void> hostile::pay_visit() {
  auto port = draw_port(random_);
  return connect(port).then([this, port](kj::Own<kj::AsyncIoStream> stream) {
    auto& chosen = draw_trick();
    ++visits_[chosen.name];
    auto at = std::make_shared<visit>();
    at->port = port;
    at->stream = kj::mv(stream);
    return (this->*chosen.play)(at).attach(kj::heap(at));
  });
}

const hostile::trick& hostile::draw_trick() {
  uint32_t sum = 0;
  for (auto& trick : tricks())
    sum += trick.weight;
  auto drawn = random_.below(sum);
  for (auto& trick : tricks()) {
    if (drawn < trick.weight) return trick;
    drawn -= trick.weight;
  }
  PESSOA_ASSERT(false);
  return tricks().front();
}

kj::Promise<kj::Own<kj::AsyncIoStream>> hostile::connect(hostile_port port) {
  return in_.io().connect(options_.node, static_cast<uint16_t>(port), duration{connect_timeout});
}

kj::Promise<void> hostile::ignore_loss(kj::Promise<void> task) {
  return task.catch_([this](kj::Exception&& e) { in_.expect_lost(e); });
}

// -- tricks. Each is over by itself; then its connection goes ---

kj::Promise<void> hostile::talk_nonsense(visit_ptr at) {
  return say(at, noise(random_), second).then([this, at] { return hear(at, moment(2000)); });
}

kj::Promise<void> hostile::lie(visit_ptr at) {
  return say(at, lying(random_, at->port), second).then([this, at] {
    return hear(at, moment(silence_ms_max));
  });
}

kj::Promise<void> hostile::fall_silent(visit_ptr at) {
  auto request = valid_request(random_, at->port, options_.topics);
  request.resize(static_cast<size_t>(between(random_, 0, static_cast<int64_t>(request.size()) - 1)));
  return say(at, std::move(request), second).then([this, at] { return hear(at, moment(silence_ms_max)); });
}

kj::Promise<void> hostile::damage(visit_ptr at) {
  auto request = damaged(random_, valid_request(random_, at->port, options_.topics));
  // Sometimes behind a good one: then the node knows the client.
  if (chance(random_, 50)) {
    auto good = valid_request(random_, at->port, options_.topics);
    good.insert(good.end(), request.begin(), request.end());
    request = std::move(good);
  }
  return say(at, std::move(request), second).then([this, at] { return hear(at, moment(3000)); });
}

kj::Promise<void> hostile::come_to_the_wrong_port(visit_ptr at) {
  auto request = valid_request(random_, other_port(random_, at->port), options_.topics);
  return say(at, std::move(request), second).then([this, at] { return hear(at, moment(3000)); });
}

// Many requests with large answers, and not a byte of them is taken.
kj::Promise<void> hostile::take_nothing(visit_ptr at) {
  raw_bytes request;
  for (auto count = between(random_, 1, 40); count > 0; --count) {
    auto one = at->port == hostile_port::kafka ? hungry_request(random_, options_.topics)
                                               : valid_request(random_, at->port, options_.topics);
    request.insert(request.end(), one.begin(), one.end());
  }
  return say(at, std::move(request), second).then([this] { return in_.sleep(moment(stubborn_ms_max)); });
}

kj::Promise<void> hostile::come_in_a_crowd(visit_ptr at) {
  auto crowd = std::make_shared<std::vector<visit_ptr>>();
  auto arriving =
      kj::heapArrayBuilder<kj::Promise<void>>(static_cast<size_t>(between(random_, 10, options_.crowd_max)));
  while (!arriving.isFull())
    arriving.add(ignore_loss(connect(at->port).then([this, crowd](kj::Own<kj::AsyncIoStream> stream) {
      auto& one = *crowd->emplace_back(std::make_shared<visit>());
      one.stream = kj::mv(stream);
      return chance(random_, 30) ? say(crowd->back(), {0}, second) : kj::Promise<void>{kj::READY_NOW};
    })));
  return kj::joinPromises(arriving.finish()).then([this, crowd] {
    return in_.sleep(moment(3000)).attach(kj::heap(crowd));
  });
}

// A byte of the answer, and gone.
kj::Promise<void> hostile::leave_early(visit_ptr at) {
  return say(at, valid_request(random_, at->port, options_.topics), second).then([this, at] {
    auto late = in_.sleep(moment(2000));
    return at->stream->tryRead(at->heard, 1, 1).ignoreResult().exclusiveJoin(kj::mv(late));
  });
}

// -- words ---

kj::Promise<void> hostile::say(visit_ptr at, raw_bytes what, world_time span) {
  if (what.empty()) return kj::READY_NOW;
  at->saying = std::move(what);
  return at->stream->write(at->saying.data(), at->saying.size())
      .exclusiveJoin(in_.sleep(span))
      .attach(kj::heap(at));
}

kj::Promise<void> hostile::hear(visit_ptr at, world_time span) {
  return hear_on(at).exclusiveJoin(in_.sleep(span)).attach(kj::heap(at));
}

kj::Promise<void> hostile::hear_on(visit_ptr at) {
  return at->stream->tryRead(at->heard, 1, sizeof at->heard)
      .then([this, at](size_t count) -> kj::Promise<void> {
        if (count == 0) return kj::READY_NOW;
        return hear_on(at);
      });
}

} // namespace pessoa::sim
