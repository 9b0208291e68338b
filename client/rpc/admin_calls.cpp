#include "client/rpc/admin_calls.hpp"

#include "client/rpc/wire_words.hpp"

#include <limits>

namespace pessoa::client {

namespace {

template <class T>
using call = std::function<kj::Promise<result<T>>(engine&, wire::Admin::Client&)>;

// A call of the admin capability, repeated as `mode` allows.
template <class T>
kj::Promise<result<T>> ask_admin(engine& core, std::string what, engine::repeat mode, call<T> ask) {
  return core.ask<T>(std::move(what), mode,
                     [&core, ask = std::move(ask)](link& at) -> kj::Promise<result<T>> {
                       if (at.admin_refused()) return result<T>{*at.admin_refused()};
                       return ask(core, at.admin());
                     });
}

// What changed something is seen by everything asked later.
void note(engine& core, int64_t index) {
  core.metadata().at_least(metadata_index{index});
  core.refresh(true);
}

} // namespace

kj::Promise<result<topic_info>> create_topic(engine& core, const new_topic& topic) {
  if (topic.replicas && (*topic.replicas < 1 || *topic.replicas > std::numeric_limits<int16_t>::max()))
    return result<topic_info>{ec::invalid_replication_factor, std::to_string(*topic.replicas) + " replicas"};
  return ask_admin<topic_info>(
      core, "creating topic " + topic.name, engine::repeat::when_certain,
      [topic](engine& core, wire::Admin::Client& to) {
        auto out = to.createTopicRequest();
        auto request = out.initRequest();
        request.setName(text(topic.name));
        request.setPartitions(topic.partitions.value_or(-1));
        request.setReplicas(static_cast<int16_t>(topic.replicas.value_or(-1)));
        write_config(topic.config, request.initConfig(static_cast<capnp::uint>(topic.config.size())));
        return out.send().then(
            [&core](capnp::Response<wire::Admin::CreateTopicResults>&& r) -> result<topic_info> {
              if (r.hasError()) return error_of(r.getError());
              note(core, r.getIndex());
              return read_topic(r.getTopic()).info;
            });
      });
}

kj::Promise<result<int64_t>> delete_topic(engine& core, std::string_view name) {
  return ask_admin<int64_t>(
      core, "deleting topic " + std::string{name}, engine::repeat::when_certain,
      [name = std::string{name}](engine& core, wire::Admin::Client& to) {
        auto out = to.deleteTopicRequest();
        out.setName(text(name));
        return out.send().then(
            [&core](capnp::Response<wire::Admin::DeleteTopicResults>&& r) -> result<int64_t> {
              if (r.hasError()) return error_of(r.getError());
              note(core, r.getIndex());
              return r.getIndex();
            });
      });
}

kj::Promise<result<topic_info>> alter_topic(engine& core, const topic_change& change) {
  return ask_admin<topic_info>(
      core, "changing topic " + change.name, engine::repeat::when_certain,
      [change](engine& core, wire::Admin::Client& to) {
        auto out = to.alterTopicRequest();
        auto request = out.initRequest();
        request.setName(text(change.name));
        request.setPartitions(change.partitions.value_or(-1));
        write_config(change.config, request.initConfig(static_cast<capnp::uint>(change.config.size())));
        return out.send().then(
            [&core](capnp::Response<wire::Admin::AlterTopicResults>&& r) -> result<topic_info> {
              if (r.hasError()) return error_of(r.getError());
              note(core, r.getIndex());
              return read_topic(r.getTopic()).info;
            });
      });
}

kj::Promise<result<topic_description>> describe_topic(engine& core, std::string_view name) {
  return ask_admin<topic_description>(
      core, "describing topic " + std::string{name}, engine::repeat::always,
      [name = std::string{name}](engine&, wire::Admin::Client& to) {
        auto out = to.describeTopicRequest();
        out.setName(text(name));
        return out.send().then(
            [](capnp::Response<wire::Admin::DescribeTopicResults>&& r) -> result<topic_description> {
              if (r.hasError()) return error_of(r.getError());
              return read_description(r.getDescription());
            });
      });
}

kj::Promise<result<int64_t>> delete_records(engine& core, const topic_partition& at,
                                            std::optional<int64_t> before) {
  if (before && *before < 0)
    return result<int64_t>{ec::invalid_argument,
                           "records below offset " + std::to_string(*before) + " cannot be deleted"};
  // Deleting twice below the same offset is as good as once; without an offset it is not.
  auto mode = before ? engine::repeat::always : engine::repeat::when_certain;
  return ask_admin<int64_t>(
      core, "deleting records of " + to_string(at), mode, [at, before](engine&, wire::Admin::Client& to) {
        auto out = to.deleteRecordsRequest();
        out.setTopic(text(at.topic));
        out.setPartition(at.partition);
        out.setBefore(before.value_or(-1));
        return out.send().then([](capnp::Response<wire::Admin::DeleteRecordsResults>&& r) -> result<int64_t> {
          if (r.hasError()) return error_of(r.getError());
          return r.getLogStart();
        });
      });
}

} // namespace pessoa::client
