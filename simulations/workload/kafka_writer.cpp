#include "simulations/workload/kafka_writer.hpp"

#include <algorithm>

namespace pessoa::sim {

namespace {

constexpr int16_t first_with_zstd = 7;
constexpr int16_t coordinator_load_in_progress = 14, storage_error = 56;
constexpr world_time look_interval = 200 * millisecond; // when nothing new is written

} // namespace

kafka_writer::kafka_writer(program& in, history& past, kafka_writer_options options)
    : in_(in), past_(past), options_(std::move(options)), session_(in, past, options_.session) {
  session_.on_up = [this] { pump(); };
}

kafka_writer::~kafka_writer() = default;

size_t kafka_writer::open() const {
  size_t out = 0;
  for (auto& [at, queue] : queues_)
    out += queue.open();
  return out;
}

void kafka_writer::start() {
  session_.begin();
  look();
}

// -- new records ---

void kafka_writer::look() {
  auto pause = stopped_ ? look_interval : around(random(), options_.pause_mean);
  in_.after(pause, [this] {
    if (!stopped_ && open() < options_.open_max) write_one();
    for (auto& [at, queue] : queues_)
      queue.expire(now());
    pump();
    look();
  });
}

void kafka_writer::write_one() {
  auto& topics = session_.topics();
  if (topics.empty()) return; // never connected yet
  auto topic = std::next(topics.begin(), static_cast<ptrdiff_t>(random().below(topics.size())));
  if (topic->second.partitions.empty() || past_.is_loose(topic->first)) return;
  place to{topic->first, static_cast<int32_t>(random().below(topic->second.partitions.size()))};
  kafka_batch made;
  auto count = between(random(), 1, options_.records_max);
  for (int64_t i = 0; i < count; ++i) {
    auto name = in_.name() + "-" + std::to_string(next_++) + "-";
    name.append(static_cast<size_t>(between(random(), 0, options_.padding_max)),
                static_cast<char>('a' + next_ % 26));
    past_.sent(name, to, options_.queue.idempotent, false);
    made.names.push_back(std::move(name));
  }
  made.data = build(made.names);
  made.deadline = now() + options_.delivery_timeout;
  queues_.try_emplace(to, in_.of(), past_, to, options_.queue).first->second.add(std::move(made));
}

std::vector<uint8_t> kafka_writer::build(const std::vector<std::string>& names) {
  // As clients do: what the node's version cannot carry goes uncompressed.
  bool possible =
      options_.codec != compression::zstd || session_.version<kafka::produce_request>() >= first_with_zstd;
  batch_builder builder{possible ? options_.codec : compression::none};
  for (auto& name : names) {
    record_view record;
    record.time = in_.on().wall();
    record.value = as_bytes(name);
    builder.add(record);
  }
  return builder.finish();
}

// -- requests ---

void kafka_writer::pump() {
  if (!session_.up()) return;
  if (options_.queue.idempotent) {
    bool hole = std::any_of(queues_.begin(), queues_.end(), [](auto& q) { return q.second.has_hole(); });
    if (hole || identity_.producer == no_producer) return want_identity();
  }
  std::vector<sent> first_ones; // in one request, before those that follow them
  std::vector<sent> others;
  for (auto& [at, queue] : queues_) {
    if (session_.leader_of(at) == nullptr) {
      if (queue.open() > 0) session_.refresh();
      continue;
    }
    bool first = true; // one batch for a partition in a request
    while (auto batch = queue.next(identity_, now())) {
      if (options_.together && std::exchange(first, false))
        first_ones.push_back({&queue, std::move(batch)});
      else
        others.push_back({&queue, std::move(batch)});
    }
  }
  if (!first_ones.empty()) send(std::move(first_ones));
  for (auto& one : others)
    send({std::move(one)});
}

void kafka_writer::send(std::vector<sent> batches) {
  kafka::produce_request asked;
  asked.acks = options_.acks;
  asked.timeout_ms = options_.timeout_ms;
  for (auto& each : batches) {
    auto& at = each.of->at();
    if (asked.topics.empty() || asked.topics.back().name != at.topic)
      asked.topics.emplace_back().name = at.topic;
    auto& partition = asked.topics.back().partitions.emplace_back();
    partition.index = at.partition;
    partition.records = kafka::payload{bytes::copy(each.batch->data)};
  }
  auto asking = session_.ask(asked);
  in_.run(asking.then([this, batches = std::move(batches)](result<kafka::produce_response> got) {
    take(batches, got);
    pump();
  }));
}

void kafka_writer::take(const std::vector<sent>& batches, const result<kafka::produce_response>& got) {
  auto pause = around(random(), options_.session.backoff_mean);
  for (auto& each : batches) {
    if (!got) {
      each.of->lost(each.batch, now(), pause);
      continue;
    }
    auto* told = entry_for(each.of->at(), *got);
    if (told == nullptr) return session_.wrong("an answer to Produce leaves out " + each.of->at().topic);
    each.of->answered(each.batch, *told, now(), pause);
    if (told->error_code != 0) session_.refresh();
  }
  in_.after(pause + millisecond, [this] { pump(); });
}

const kafka::produce_response::topic::partition*
kafka_writer::entry_for(const place& at, const kafka::produce_response& got) const {
  for (auto& topic : got.topics)
    for (auto& partition : topic.partitions)
      if (topic.name == at.topic && partition.index == at.partition) return &partition;
  return nullptr;
}

// -- the producer's id: before the first batch, and again after a hole, when nothing is under way ---

void kafka_writer::want_identity() {
  bool busy = std::any_of(queues_.begin(), queues_.end(), [](auto& q) { return q.second.in_flight() > 0; });
  if (busy || std::exchange(asking_identity_, true)) return;
  auto asking = session_.ask(kafka::init_producer_id_request{});
  in_.run(asking.then([this](result<kafka::init_producer_id_response> got) {
    asking_identity_ = false;
    if (!got) return; // on_up comes again
    if (got->error_code == coordinator_load_in_progress || got->error_code == storage_error)
      return; // look() asks again
    if (got->error_code != 0)
      return session_.wrong("InitProducerId is answered with error " + std::to_string(got->error_code));
    if (producer_id{got->producer_id} == identity_.producer)
      return session_.wrong("InitProducerId gave an id twice");
    identity_.producer = producer_id{got->producer_id};
    identity_.epoch = producer_epoch{got->producer_epoch};
    for (auto& [at, queue] : queues_)
      queue.begin_again();
    pump();
  }));
}

} // namespace pessoa::sim
