#include "simulations/workload/kafka_session.hpp"

#include "kafka/codec/promises.hpp"

#include <algorithm>

namespace pessoa::sim {

using kafka::api_key;

namespace {

// The lowest version that this client can use at all: batches of version 2, ListOffsets with one offset.
int16_t least(api_key key) {
  if (key == api_key::produce) return 3;
  if (key == api_key::fetch) return 4;
  return key == api_key::list_offsets ? 1 : 0;
}

} // namespace

kafka_session::kafka_session(program& in, const history& past, kafka_session_options options)
    : in_(in), past_(past), options_(std::move(options)) {
  for (auto& promise : kafka::api_promises) {
    auto lowest = std::max(promise.versions.min, least(promise.key));
    wishes_[promise.key] =
        static_cast<int16_t>(between(in_.of().random().knobs, lowest, promise.versions.max));
  }
}

kafka_session::~kafka_session() {
  in_.loop().enter([this] {
    in_.drop_tasks();
    link_.reset();
  });
}

void kafka_session::begin() { in_.run(live()); }

void kafka_session::wrong(const std::string& what) {
  in_.of().fail("kafka_is_spoken_right", in_.name() + ": " + what);
}

// -- one connection after the other ---

kj::Promise<void> kafka_session::live() {
  return in_.io()
      .connect(options_.bootstrap.host, options_.bootstrap.port, duration{options_.connect_timeout})
      .then(
          [this](kj::Own<kj::AsyncIoStream> stream) {
            ++connection_;
            link_ = std::make_unique<kafka_link>(in_, kj::mv(stream), in_.name(), options_.request_timeout);
            in_.run(greet());
            return link_->lost();
          },
          [this](kj::Exception&& e) -> kj::Promise<void> {
            in_.expect_lost(e);
            return kj::READY_NOW;
          })
      .then([] { return kj::evalLast([] {}); }) // those who waited hear of it first
      .then([this] {
        link_.reset();
        asking_ = false;
        if (std::exchange(up_, false) && on_down) on_down();
        return in_.sleep(around(random(), options_.backoff_mean));
      })
      .then([this] { return live(); });
}

kj::Promise<void> kafka_session::greet() {
  return ask_versions().then([this, of = connection_]() -> kj::Promise<void> {
    if (of != connection_ || link_ == nullptr || link_->ended()) return kj::READY_NOW;
    return ask_metadata();
  });
}

kj::Promise<void> kafka_session::ask_versions() {
  kafka::api_versions_request asked;
  asked.client_software_name = "pessoa-sim";
  asked.client_software_version = "1.0";
  auto version = wishes_.at(api_key::api_versions);
  return link_->ask(asked, version).then([this](result<kafka::api_versions_response> got) {
    if (!got) return;
    if (got->error_code != 0)
      return wrong("ApiVersions is answered with error " + std::to_string(got->error_code));
    read_versions(*got);
  });
}

void kafka_session::read_versions(const kafka::api_versions_response& got) {
  versions_.clear();
  for (auto& api : got.api_keys) {
    if (api.min_version > api.max_version)
      return wrong("API " + std::to_string(api.api_key) + " has no versions");
    auto wish = wishes_.find(static_cast<api_key>(api.api_key));
    if (wish == wishes_.end()) continue;
    auto lowest = std::max(api.min_version, least(wish->first));
    if (lowest > api.max_version)
      return wrong("API " + std::to_string(api.api_key) + " has no version that works");
    versions_[wish->first] = std::clamp(wish->second, lowest, api.max_version);
  }
  for (auto& [key, wish] : wishes_)
    if (versions_.count(key) == 0)
      return wrong("API " + std::to_string(+static_cast<int16_t>(key)) + " is missing");
}

// -- metadata ---

void kafka_session::refresh() {
  if (!up_ || std::exchange(asking_, true)) return;
  in_.after(around(random(), options_.backoff_mean), [this] {
    asking_ = false;
    if (link_ != nullptr && !link_->ended()) in_.run(ask_metadata());
  });
}

kafka::metadata_request kafka_session::metadata_question() {
  kafka::metadata_request out;
  out.allow_auto_topic_creation = false;
  auto& topics = out.topics.emplace();
  auto version = versions_.at(api_key::metadata);
  for (auto& name : options_.topics) {
    if (past_.is_loose(name)) continue;
    auto& one = topics.emplace_back();
    one.name = name;
    auto known = topics_.find(name);
    // By its id, where a version can and it is known: the two must mean the same.
    if (version >= 12 && known != topics_.end() && chance(random(), 50)) {
      one.topic_id = known->second.id;
      one.name.reset();
    }
  }
  return out;
}

kj::Promise<void> kafka_session::ask_metadata() {
  auto asked = metadata_question();
  return link_->ask(asked, versions_.at(api_key::metadata))
      .then([this, of = connection_](result<kafka::metadata_response> got) {
        if (!got || of != connection_) return;
        bool whole = read_metadata(*got);
        if (!std::exchange(up_, true) && on_up) on_up();
        if (!whole) return refresh();
        in_.after(options_.metadata_age, [this, of] {
          if (of == connection_) refresh();
        });
      });
}

// Whether every topic is there with all its leaders.
bool kafka_session::read_metadata(const kafka::metadata_response& got) {
  bool whole = true;
  for (auto& entry : got.topics) {
    if (entry.error_code != 0) {
      whole = whole && entry.name && past_.is_loose(*entry.name);
      std::erase_if(topics_, [&entry](auto& known) {
        return entry.name ? known.first == *entry.name : known.second.id == entry.topic_id;
      });
      continue;
    }
    if (!entry.name
        || std::find(options_.topics.begin(), options_.topics.end(), *entry.name) == options_.topics.end()) {
      wrong("Metadata tells of a topic that nobody asked for");
      return true;
    }
    topic known;
    known.id = entry.topic_id;
    known.partitions.resize(entry.partitions.size());
    for (auto& p : entry.partitions) {
      auto index = static_cast<size_t>(p.partition_index);
      if (p.partition_index < 0 || index >= known.partitions.size()) {
        wrong("Metadata has a partition " + std::to_string(p.partition_index) + " of "
              + std::to_string(known.partitions.size()));
        return true;
      }
      auto is_leader = [&p](auto& broker) { return broker.node_id == p.leader_id; };
      if (p.error_code == 0 && std::none_of(got.brokers.begin(), got.brokers.end(), is_leader))
        wrong("partition " + std::to_string(p.partition_index) + " is led by a node that is no broker");
      known.partitions[index] = {p.error_code, p.leader_id, p.leader_epoch};
      whole = whole && p.error_code == 0;
    }
    topics_[*entry.name] = std::move(known);
  }
  for (auto& broker : got.brokers)
    if (host_port{broker.host, static_cast<uint16_t>(broker.port)} != options_.bootstrap)
      wrong("a broker is at " + broker.host + ":" + std::to_string(broker.port) + ", where nobody listens");
  return whole;
}

const kafka_session::partition* kafka_session::leader_of(const place& at) const {
  auto found = topics_.find(at.topic);
  if (found == topics_.end()) return nullptr;
  auto& partitions = found->second.partitions;
  auto index = static_cast<size_t>(at.partition);
  if (at.partition < 0 || index >= partitions.size()) return nullptr;
  return partitions[index].error == 0 ? &partitions[index] : nullptr;
}

} // namespace pessoa::sim
