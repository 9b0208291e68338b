#include "simulations/workload/foreign_clients.hpp"

#include "schema/crc32c.hpp"

#include <algorithm>

namespace pessoa::sim {

namespace {

template <class T>
T pick(random_source& random, std::initializer_list<T> from) {
  return *(from.begin() + static_cast<ptrdiff_t>(random.below(from.size())));
}

} // namespace

foreign_clients::foreign_clients(world& of, history& past, std::vector<std::string> topics,
                                 std::string subnet)
    : world_(of), past_(past), topics_(std::move(topics)), subnet_(std::move(subnet)) {}

foreign_clients::~foreign_clients() = default;

program& foreign_clients::add_program(const std::string& kind) {
  auto number = std::to_string(programs_.size() + 1);
  auto& on = world_.add_machine(subnet_ + number);
  return *programs_.emplace_back(std::make_unique<program>(world_, on, kind + " " + subnet_ + number));
}

// -- settings ---

kafka_session_options foreign_clients::draw_session() {
  auto& knobs = world_.random().knobs;
  kafka_session_options out;
  out.topics = topics_;
  out.connect_timeout = pick(knobs, {200, 1000, 10'000}) * millisecond;
  out.request_timeout = pick(knobs, {500, 2000, 30'000}) * millisecond;
  out.backoff_mean = pick(knobs, {20, 100, 300}) * millisecond;
  out.metadata_age = pick(knobs, {2, 10, 60}) * second;
  return out;
}

kafka_writer_options foreign_clients::draw_writer() {
  auto& knobs = world_.random().knobs;
  kafka_writer_options out;
  out.session = draw_session();
  out.queue.idempotent = chance(knobs, 60);
  out.queue.repeats = chance(knobs, 70);
  out.queue.in_flight_max = pick<size_t>(knobs, {1, 1, 3, 5});
  out.acks = out.queue.idempotent ? int16_t{-1} : pick<int16_t>(knobs, {-1, -1, 1});
  out.timeout_ms = pick(knobs, {500, 2000, 30'000});
  out.delivery_timeout = pick(knobs, {20, 35, 60}) * second;
  out.together = chance(knobs, 50);
  out.codec = pick(knobs, {compression::none, compression::none, compression::lz4, compression::zstd,
                           compression::gzip, compression::snappy});
  return out;
}

kafka_reader_options foreign_clients::draw_reader() {
  auto& knobs = world_.random().knobs;
  kafka_reader_options out;
  out.session = draw_session();
  out.max_wait_ms = pick(knobs, {10, 500, 2000});
  out.bytes_max = pick(knobs, {4096, 1 << 20, 50 << 20});
  out.partition_bytes_max = pick(knobs, {1024, 100'000, 1 << 20});
  out.isolation = pick<int8_t>(knobs, {0, 1});
  return out;
}

// -- who there is ---

void foreign_clients::add_writers(int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    auto& in = add_program("kafka_writer");
    auto& made = *writers_.emplace_back(std::make_unique<kafka_writer>(in, past_, draw_writer()));
    in.loop().enter([&made] { made.start(); });
  }
}

void foreign_clients::add_readers(int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    auto& in = add_program("kafka_reader");
    auto& made = *readers_.emplace_back(std::make_unique<kafka_reader>(in, past_, draw_reader()));
    in.loop().enter([&made] { made.start(); });
  }
}

void foreign_clients::add_hostile(int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    auto& in = add_program("hostile");
    hostile_options options;
    options.topics = topics_;
    auto seed = world_.seed() ^ (uint64_t{crc32c(as_bytes(in.name()))} << 32);
    auto& made = *hostile_.emplace_back(std::make_unique<hostile>(in, options, seed));
    in.loop().enter([&made] { made.start(); });
  }
}

// -- the end ---

void foreign_clients::stop() {
  for (auto& writer : writers_)
    writer->stop();
}

size_t foreign_clients::open() const {
  size_t out = 0;
  for (auto& writer : writers_)
    out += writer->open();
  return out;
}

void foreign_clients::catch_up() {
  for (auto& reader : readers_)
    reader->catch_up();
}

std::optional<std::string> foreign_clients::behind() const {
  for (auto& reader : readers_)
    if (auto who = reader->behind()) return who;
  return std::nullopt;
}

} // namespace pessoa::sim
