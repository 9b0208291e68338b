#include "node/kafka_listener.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::node {

namespace {

constexpr duration sweep_interval_max = std::chrono::seconds{2};

class kafka_protocol final : public stream_protocol {
public:
  kafka_protocol(const kafka_connection_options& options, kafka_listener_budgets budgets,
                 std::shared_ptr<kafka::service> service, gateway_factory gateways)
      : options_(options), budgets_(std::move(budgets)), service_(std::move(service)),
        gateways_(std::move(gateways)) {}
  ~kafka_protocol() noexcept(false) override {}

  kj::Own<stream_connection> connect(stream_arrival arrival) override {
    auto to = gateways_(arrival.loop);
    return kj::heap<kafka_connection>(std::move(arrival), options_, budgets_, *service_, std::move(to));
  }
  kj::Promise<void> turn_away(kj::Own<kj::AsyncIoStream>, io_loop&, const error&) override {
    return kj::READY_NOW;
  }

private:
  const kafka_connection_options options_;
  const kafka_listener_budgets budgets_;
  const std::shared_ptr<kafka::service> service_;
  const gateway_factory gateways_;
};

// Deadlines are kept to a quarter of the shortest.
duration sweep_interval(const kafka_connection_options& o) {
  auto shortest =
      std::min({o.frames.first_deadline, o.frames.frame_deadline, o.slow_reader_deadline, o.idle_deadline});
  return std::clamp<duration>(shortest / 4, std::chrono::milliseconds{1}, sweep_interval_max);
}

} // namespace

std::unique_ptr<stream_listener>
serve_kafka(std::shared_ptr<listening_socket> socket, std::vector<std::shared_ptr<io_loop>> loops,
            kafka_listener_budgets budgets, std::shared_ptr<kafka::service> service, gateway_factory gateways,
            kafka_listener_options options, stream_listener_hooks hooks) {
  PESSOA_ASSERT(service && gateways);
  stream_listener_options streams;
  streams.connections = options.connections;
  streams.sweep_interval = sweep_interval(options.connection);
  streams.farewell = options.connection.farewell;
  auto protocol = std::make_shared<kafka_protocol>(options.connection, std::move(budgets), std::move(service),
                                                   std::move(gateways));
  return stream_listener::start(std::move(socket), std::move(loops), std::move(protocol), streams,
                                std::move(hooks));
}

} // namespace pessoa::node
