#include "tests/client/fake_node.hpp"

#include "schema/limits.hpp"
#include "schema/wire/convert.hpp"

#include <capnp/rpc-twoparty.h>

#include <iostream>
#include <stdexcept>

namespace pessoa::client::test {

namespace {

pessoa::error no_topic(const std::string& name) {
  return {ec::unknown_topic, "there is no topic '" + name + "'"};
}

void write_topic(const std::string& name, const fake_topic& topic, wire::Topic::Builder out) {
  out.setName(name.c_str());
  wire::write_uuid(topic.id, out.initId());
  auto partitions = out.initPartitions(static_cast<capnp::uint>(topic.partitions.size()));
  for (capnp::uint i = 0; i < partitions.size(); ++i) {
    auto& p = topic.partitions[i];
    partitions[i].setIndex(static_cast<int32_t>(i));
    partitions[i].setLeader(p.leader);
    partitions[i].setEpoch(p.epoch);
    partitions[i].initReplicas(1).set(0, p.leader);
    partitions[i].initIsr(1).set(0, p.leader);
  }
  auto config = out.initConfig(static_cast<capnp::uint>(topic.config.size()));
  capnp::uint i = 0;
  for (auto& entry : topic.config) {
    config[i].setKey(entry.first.c_str());
    config[i++].setValue(entry.second.c_str());
  }
  out.setWantedReplicas(1);
}

struct place {
  fake_topic* topic = nullptr;
  fake_partition* partition = nullptr;
  std::string name;
};

result<place> find(fake_world& world, int32_t node, wire::Uuid::Reader id, int32_t partition) {
  auto raw = wire::read_uuid(id);
  for (auto& entry : world.topics) {
    if (entry.second.id != raw) continue;
    if (partition < 0 || static_cast<size_t>(partition) >= entry.second.partitions.size())
      return {ec::unknown_partition, "no such partition"};
    auto& p = entry.second.partitions[static_cast<size_t>(partition)];
    if (p.leader != node) return {ec::not_leader, "node " + std::to_string(p.leader) + " leads"};
    return place{&entry.second, &p, entry.first};
  }
  return {ec::unknown_topic_id, "no such topic id"};
}

class producer_server final : public wire::Producer::Server {
public:
  producer_server(fake_world& world, int32_t node) : world_(world), node_(node) {}

  kj::Promise<void> produce(ProduceContext context) override {
    ++world_.produces;
    auto request = context.getParams().getRequest();
    auto found = find(world_, node_, request.getTopic(), request.getPartition());
    if (!found.ok()) return answer(context, found.error());
    auto fault = world_.fault ? world_.fault(found->name, request.getPartition()) : produce_fault::none;
    if (fault == produce_fault::cut_before) {
      world_.cut.at(node_)();
      return kj::NEVER_DONE;
    }
    if (world_.produce_error)
      if (auto e = world_.produce_error()) return answer(context, *e);
    auto data = request.getBatch();
    auto appended = append(*found->partition, {data.begin(), data.size()}, *found->topic);
    if (fault == produce_fault::cut_after) {
      world_.cut.at(node_)();
      return kj::NEVER_DONE;
    }
    if (fault == produce_fault::no_answer) return kj::NEVER_DONE;
    if (!appended.ok()) return answer(context, appended.error());
    auto result = context.getResults().initResult();
    result.setBaseOffset(request.getAcks() == 0 ? -1 : *appended);
    return kj::READY_NOW;
  }

private:
  kj::Promise<void> answer(ProduceContext& context, const pessoa::error& e) {
    wire::write_error(e, context.getResults().initError());
    return kj::READY_NOW;
  }
  result<int64_t> append(fake_partition& p, byte_view batch, const fake_topic& topic) {
    if (world_.discard) {
      auto base = p.end;
      p.end += parse_batch_header(batch).value().record_count;
      return base;
    }
    batch_limits limits;
    if (auto at = topic.config.find("max.message.bytes"); at != topic.config.end())
      limits.batch_bytes_max = std::stoul(at->second);
    auto facts = validate_batch(batch, limits);
    if (!facts.ok()) return facts.error();
    auto& header = facts->header;
    if (header.idempotent()) {
      auto& known = p.producers[header.producer.value()];
      for (auto& r : known)
        if (r.first == header.base_sequence && r.last == header.last_sequence()) return r.base;
      if (!known.empty() && header.base_sequence != known.back().last + 1)
        return {ec::out_of_order_sequence, "expected " + std::to_string(known.back().last + 1)};
      known.push_back({header.base_sequence, header.last_sequence(), p.end});
      if (known.size() > 5) known.pop_front();
    }
    std::vector<uint8_t> copy(batch.begin(), batch.end());
    stamp_batch(copy.data(), offset{p.end}, leader_epoch{p.epoch});
    auto base = p.end;
    p.end += header.record_count;
    p.batches.push_back(std::move(copy));
    for (auto& waiting : p.waiting)
      waiting->fulfill();
    p.waiting.clear();
    return base;
  }
  fake_world& world_;
  int32_t node_;
};

class consumer_server final : public wire::Consumer::Server {
public:
  consumer_server(fake_world& world, int32_t node) : world_(world), node_(node) {}

  kj::Promise<void> fetch(FetchContext context) override {
    context.allowCancellation();
    ++world_.fetches;
    if (world_.fetch_error)
      if (auto e = world_.fetch_error()) {
        wire::write_error(*e, context.getResults().initError());
        return kj::READY_NOW;
      }
    auto request = context.getParams().getRequest();
    auto position = request.getPosition();
    auto found = find(world_, node_, position.getTopic(), position.getPartition());
    if (found.ok() && position.getOffset() == found->partition->end && request.getWaitMs() > 0) {
      auto pair = kj::newPromiseAndFulfiller<void>();
      found->partition->waiting.push_back(kj::mv(pair.fulfiller));
      return pair.promise
          .exclusiveJoin(world_.loop->timer().afterDelay(request.getWaitMs() * kj::MILLISECONDS))
          .then([this, context]() mutable { read(context); });
    }
    read(context);
    return kj::READY_NOW;
  }

  kj::Promise<void> offset(OffsetContext context) override {
    auto request = context.getParams().getRequest();
    auto found = find(world_, node_, request.getTopic(), request.getPartition());
    if (!found.ok()) {
      wire::write_error(found.error(), context.getResults().initError());
      return kj::READY_NOW;
    }
    auto& p = *found->partition;
    auto out = context.getResults().initResult();
    auto at = request.getAt();
    out.setLogEnd(p.end);
    if (at.isStart()) out.setOffset(p.start);
    if (at.isEnd()) out.setOffset(p.end);
    if (at.isTime()) out.setOffset(first_not_older(p, at.getTime()));
    return kj::READY_NOW;
  }

private:
  static int64_t first_not_older(fake_partition& p, int64_t time) {
    for (auto& batch : p.batches) {
      auto reader = batch_reader::open(batch).value();
      for (;;) {
        auto next = reader.next();
        if (!next.ok() || !*next) break;
        auto& entry = **next;
        if (entry.record.time.value() >= time && entry.at.value() >= p.start) return entry.at.value();
      }
    }
    return -1;
  }
  void read(FetchContext& context) {
    auto request = context.getParams().getRequest();
    auto position = request.getPosition();
    auto found = find(world_, node_, position.getTopic(), position.getPartition());
    if (!found.ok()) return wire::write_error(found.error(), context.getResults().initError());
    auto& p = *found->partition;
    auto from = position.getOffset();
    if (from < p.start || from > p.end)
      return wire::write_error({ec::offset_out_of_range, "offset " + std::to_string(from) + " is not within "
                                                             + std::to_string(p.start) + " to "
                                                             + std::to_string(p.end)},
                               context.getResults().initError());
    std::vector<uint8_t> bytes;
    int64_t next = from;
    for (auto& batch : p.batches) {
      auto header = parse_batch_header(batch).value();
      if (header.next_offset().value() <= from) continue;
      if (!bytes.empty() && bytes.size() + batch.size() > request.getBytesMax()) break;
      bytes.insert(bytes.end(), batch.begin(), batch.end());
      next = header.next_offset().value();
    }
    auto out = context.getResults().initResult();
    out.setBatches({bytes.data(), bytes.size()});
    out.setHighWatermark(p.end);
    out.setLogStart(p.start);
    out.setNextOffset(next);
  }
  fake_world& world_;
  int32_t node_;
};

class admin_server final : public wire::Admin::Server {
public:
  explicit admin_server(fake_world& world) : world_(world) {}

  kj::Promise<void> createTopic(CreateTopicContext context) override {
    auto request = context.getParams().getRequest();
    std::string name = request.getName().cStr();
    auto results = context.getResults();
    if (world_.topics.count(name) != 0) {
      wire::write_error({ec::topic_exists, "topic '" + name + "' exists"}, results.initError());
      return kj::READY_NOW;
    }
    std::map<std::string, std::string> config;
    for (auto setting : request.getConfig())
      config[setting.getKey().cStr()] = setting.getValue().cStr();
    add_topic(world_, name, std::max(1, request.getPartitions()), std::move(config));
    write_topic(name, world_.topics[name], results.initTopic());
    results.setIndex(world_.index);
    return kj::READY_NOW;
  }
  kj::Promise<void> deleteTopic(DeleteTopicContext context) override {
    std::string name = context.getParams().getName().cStr();
    if (world_.topics.erase(name) == 0)
      wire::write_error(no_topic(name), context.getResults().initError());
    else
      context.getResults().setIndex(++world_.index);
    return kj::READY_NOW;
  }
  kj::Promise<void> alterTopic(AlterTopicContext context) override {
    auto request = context.getParams().getRequest();
    std::string name = request.getName().cStr();
    auto results = context.getResults();
    auto at = world_.topics.find(name);
    if (at == world_.topics.end()) {
      wire::write_error(no_topic(name), results.initError());
      return kj::READY_NOW;
    }
    for (auto setting : request.getConfig())
      at->second.config[setting.getKey().cStr()] = setting.getValue().cStr();
    while (static_cast<int32_t>(at->second.partitions.size()) < request.getPartitions())
      at->second.partitions.emplace_back();
    ++world_.index;
    write_topic(name, at->second, results.initTopic());
    results.setIndex(world_.index);
    return kj::READY_NOW;
  }
  kj::Promise<void> describeTopic(DescribeTopicContext context) override {
    std::string name = context.getParams().getName().cStr();
    auto results = context.getResults();
    auto at = world_.topics.find(name);
    if (at == world_.topics.end()) {
      wire::write_error(no_topic(name), results.initError());
      return kj::READY_NOW;
    }
    auto out = results.initDescription();
    write_topic(name, at->second, out.initTopic());
    auto list = out.initPartitions(static_cast<capnp::uint>(at->second.partitions.size()));
    for (capnp::uint i = 0; i < list.size(); ++i) {
      auto& p = at->second.partitions[i];
      list[i].initPartition().setIndex(static_cast<int32_t>(i));
      list[i].setLogStart(p.start);
      list[i].setHighWatermark(p.end);
      list[i].setLogEnd(p.end);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> cluster(ClusterContext context) override {
    auto out = context.getResults().initInfo();
    wire::write_uuid(world_.cluster_id, out.initClusterId());
    out.setController(1);
    auto nodes = out.initNodes(static_cast<capnp::uint>(world_.addresses.size()));
    capnp::uint i = 0;
    for (auto& entry : world_.addresses) {
      nodes[i].setId(entry.first);
      nodes[i].setState("up");
      nodes[i++].setRpc(entry.second.c_str());
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> health(HealthContext context) override {
    auto out = context.getResults().initHealth();
    out.setHealthy(false);
    out.initReasons(1).set(0, "it is a fake");
    out.setLeaderless(3);
    return kj::READY_NOW;
  }
  kj::Promise<void> deleteRecords(DeleteRecordsContext context) override {
    auto params = context.getParams();
    auto& p =
        world_.topics.at(params.getTopic().cStr()).partitions.at(static_cast<size_t>(params.getPartition()));
    p.start = params.getBefore() < 0 ? p.end : params.getBefore();
    context.getResults().setLogStart(p.start);
    return kj::READY_NOW;
  }

  static void add_topic(fake_world& world, const std::string& name, int32_t partitions,
                        std::map<std::string, std::string> config) {
    fake_topic topic;
    topic.id[0] = 7;
    store(topic.id, world.next_topic++);
    topic.config = std::move(config);
    topic.partitions.resize(static_cast<size_t>(partitions));
    for (size_t i = 0; i < topic.partitions.size(); ++i)
      topic.partitions[i].leader = static_cast<int32_t>(i % world.addresses.size()) + 1;
    world.topics.insert_or_assign(name, std::move(topic));
    ++world.index;
  }

private:
  static void store(std::array<uint8_t, 16>& id, uint64_t number) {
    for (size_t i = 0; i < 8; ++i)
      id[8 + i] = static_cast<uint8_t>(number >> (8 * (7 - i)));
  }
  fake_world& world_;
};

class session_server final : public wire::Session::Server {
public:
  session_server(fake_world& world, int32_t node) : world_(world), node_(node) {}

  kj::Promise<void> admin(AdminContext context) override {
    if (world_.deny_admin)
      wire::write_error({ec::denied, "you may not administer"}, context.getResults().initError());
    else
      context.getResults().setAdmin(kj::heap<admin_server>(world_));
    return kj::READY_NOW;
  }
  kj::Promise<void> producer(ProducerContext context) override {
    auto results = context.getResults();
    results.setProducer(kj::heap<producer_server>(world_, node_));
    if (context.getParams().getIdempotent()) {
      results.setProducerId(world_.next_producer_id++);
      results.setProducerEpoch(0);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> consumer(ConsumerContext context) override {
    context.getResults().setConsumer(kj::heap<consumer_server>(world_, node_));
    return kj::READY_NOW;
  }
  kj::Promise<void> metadata(MetadataContext context) override {
    ++world_.metadata_requests;
    auto request = context.getParams().getRequest();
    auto out = context.getResults().initMetadata();
    out.setIndex(world_.stale_index.value_or(world_.index));
    wire::write_uuid(world_.cluster_id, out.initClusterId());
    auto nodes = out.initNodes(static_cast<capnp::uint>(world_.addresses.size()));
    capnp::uint i = 0;
    for (auto& entry : world_.addresses) {
      nodes[i].setId(entry.first);
      nodes[i].setState("up");
      nodes[i++].setRpc(entry.second.c_str());
    }
    std::vector<std::string> names;
    if (request.getAll())
      for (auto& entry : world_.topics)
        names.push_back(entry.first);
    for (auto name : request.getTopics())
      names.emplace_back(name.cStr());
    auto topics = out.initTopics(static_cast<capnp::uint>(names.size()));
    for (i = 0; i < names.size(); ++i) {
      auto at = world_.topics.find(names[i]);
      if (at != world_.topics.end()) {
        write_topic(names[i], at->second, topics[i]);
      } else {
        topics[i].setName(names[i].c_str());
        wire::write_error(no_topic(names[i]), topics[i].initError());
      }
    }
    return kj::READY_NOW;
  }

private:
  fake_world& world_;
  int32_t node_;
};

class bootstrap_server final : public wire::Bootstrap::Server {
public:
  bootstrap_server(fake_world& world, int32_t node) : world_(world), node_(node) {}

  kj::Promise<void> login(LoginContext context) override {
    ++world_.logins;
    auto hello = context.getParams().getHello();
    auto results = context.getResults();
    if (hello.hasClusterId() && wire::read_uuid(hello.getClusterId()) != world_.cluster_id) {
      wire::write_error({ec::wrong_cluster, "this is another cluster"}, results.initError());
      return kj::READY_NOW;
    }
    results.setSession(kj::heap<session_server>(world_, node_));
    auto welcome = results.initWelcome();
    welcome.setProtocol(1);
    wire::write_uuid(world_.cluster_id, welcome.initClusterId());
    welcome.setNodeId(node_);
    welcome.setVersion("fake");
    welcome.setMetadataIndex(world_.index);
    return kj::READY_NOW;
  }

private:
  fake_world& world_;
  int32_t node_;
};

} // namespace

// One listening node and its connections.
struct fake_cluster::node final : kj::TaskSet::ErrorHandler {
  struct connection {
    kj::Own<kj::AsyncIoStream> stream;
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
    connection(kj::Own<kj::AsyncIoStream> s, fake_world& world, int32_t id)
        : stream(kj::mv(s)), network(*stream, capnp::rpc::twoparty::Side::SERVER, options()),
          system(capnp::makeRpcServer(network, kj::heap<bootstrap_server>(world, id))) {}
    static capnp::ReaderOptions options() {
      capnp::ReaderOptions o;
      o.traversalLimitInWords = 4 * rpc_message_bytes_max / 8;
      return o;
    }
  };

  node(fake_world& w, int32_t i, std::shared_ptr<listening_socket> socket)
      : world(w), id(i), accepting(w.loop->accept_from(std::move(socket))), tasks(*this) {
    world.addresses[id] = ""; // set by whoever knows the port
    world.cut[id] = [this] {
      auto all = std::make_shared<std::vector<kj::Own<connection>>>(kj::mv(connections));
      connections.clear();
      world.loop->post([all] { all->clear(); }); // this runs inside one of them
    };
    tasks.add(accept());
  }
  ~node() noexcept(false) {
    world.cut.erase(id);
    world.addresses.erase(id);
  }
  kj::Promise<void> accept() {
    return accepting->accept().then([this](acceptor::connection c) {
      connections.push_back(kj::heap<connection>(kj::mv(c.stream), world, id));
      return accept();
    });
  }
  void taskFailed(kj::Exception&& e) override { std::cerr << e.getDescription().cStr() << "\n"; }

  fake_world& world;
  int32_t id;
  kj::Own<acceptor> accepting;
  std::vector<kj::Own<connection>> connections;
  kj::TaskSet tasks;
};

fake_cluster::fake_cluster(int count) : net_(make_system_network()), loop_(net_->make_loop("fake-node")) {
  world_.loop = loop_.get();
  world_.cluster_id = {0x42, 1, 2,  3,  4,  5,  0x46, 7,
                       0x88, 9, 10, 11, 12, 13, 14,   static_cast<uint8_t>(count)};
  for (int32_t id = 1; id <= count; ++id) {
    ports_[id] = 0;
    start(id);
  }
}

fake_cluster::~fake_cluster() {
  run_on(*loop_, [this] {
    for (auto& topic : world_.topics)
      for (auto& p : topic.second.partitions)
        p.waiting.clear();
    nodes_.clear();
  });
  loop_.reset();
}

std::string fake_cluster::bootstrap() const {
  std::string all;
  for (auto& entry : ports_)
    all += (all.empty() ? "" : ",") + address(entry.first);
  return all;
}

void fake_cluster::start(int32_t id) {
  auto socket = net_->listen("127.0.0.1", ports_.at(id));
  if (!socket.ok()) throw std::runtime_error(to_string(socket.error()));
  ports_[id] = (*socket)->port();
  run_on(*loop_, [&] {
    nodes_.insert_or_assign(id, kj::heap<node>(world_, id, *socket));
    world_.addresses[id] = address(id);
  });
}

void fake_cluster::stop(int32_t id) {
  run_on(*loop_, [&] { nodes_.erase(id); });
}

void fake_cluster::add_topic(const std::string& name, int32_t partitions,
                             std::map<std::string, std::string> config) {
  run_on(*loop_, [&] { admin_server::add_topic(world_, name, partitions, std::move(config)); });
}

void fake_cluster::on_loop(const std::function<void(fake_world&)>& task) {
  run_on(*loop_, [&] { task(world_); });
}

} // namespace pessoa::client::test
