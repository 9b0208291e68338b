#include "node/rpc_listener.hpp"

#include "schema/assert.hpp"

#include <algorithm>

namespace pessoa::node {

namespace {

constexpr duration sweep_interval_max = std::chrono::seconds{2};

} // namespace

class rpc_listener::protocol final : public stream_protocol {
public:
  protocol(const rpc_listener_options& options, std::shared_ptr<byte_budget> node_budget,
           bootstrap_factory factory)
      : options_(options.connection), before_login_(byte_budget::make(options.before_login_bytes)),
        node_budget_(std::move(node_budget)), factory_(std::move(factory)) {}
  ~protocol() noexcept(false) override {}

  kj::Own<stream_connection> connect(stream_arrival arrival) override {
    return kj::heap<rpc_connection>(std::move(arrival), options_, before_login_, node_budget_, factory_);
  }
  kj::Promise<void> turn_away(kj::Own<kj::AsyncIoStream> stream, io_loop& loop, const error& why) override {
    return say_and_close(kj::mv(stream), loop, why);
  }
  [[nodiscard]] const byte_budget& before_login() const { return *before_login_; }

private:
  const rpc_connection_options options_;
  const std::shared_ptr<byte_budget> before_login_, node_budget_;
  const bootstrap_factory factory_;
};

namespace {

stream_listener_hooks as_stream_hooks(rpc_listener_hooks hooks) {
  auto with_context = [](std::function<void(const connection_context&)> hook) {
    std::function<void(const stream_connection&)> out;
    if (hook)
      out = [hook = std::move(hook)](const stream_connection& c) {
        hook(*static_cast<const rpc_connection&>(c).context());
      };
    return out;
  };
  return {with_context(std::move(hooks.opened)), with_context(std::move(hooks.closed)),
          std::move(hooks.refused), std::move(hooks.stopped_accepting)};
}

} // namespace

result<std::unique_ptr<rpc_listener>>
rpc_listener::start(network& net, std::vector<std::shared_ptr<io_loop>> loops,
                    std::shared_ptr<byte_budget> node_budget, bootstrap_factory factory,
                    rpc_listener_options options, rpc_listener_hooks hooks) {
  PESSOA_TRY(auto socket, net.listen(options.host, options.port));
  return start(std::move(socket), std::move(loops), std::move(node_budget), std::move(factory),
               std::move(options), std::move(hooks));
}

std::unique_ptr<rpc_listener> rpc_listener::start(std::shared_ptr<listening_socket> socket,
                                                  std::vector<std::shared_ptr<io_loop>> loops,
                                                  std::shared_ptr<byte_budget> node_budget,
                                                  bootstrap_factory factory, rpc_listener_options options,
                                                  rpc_listener_hooks hooks) {
  PESSOA_ASSERT(node_budget && factory);
  stream_listener_options streams;
  streams.connections = options.connections;
  streams.sweep_interval = std::min(sweep_interval_max, options.connection.slow_reader_deadline / 4);
  streams.farewell = options.connection.farewell;
  auto rpc = std::make_shared<protocol>(options, std::move(node_budget), std::move(factory));
  auto started = stream_listener::start(std::move(socket), std::move(loops), rpc, streams,
                                        as_stream_hooks(std::move(hooks)));
  return std::unique_ptr<rpc_listener>{new rpc_listener{std::move(rpc), std::move(started)}};
}

rpc_listener::~rpc_listener() = default;

void rpc_listener::stop(std::function<void()> done) { streams_->stop(std::move(done)); }
void rpc_listener::stop() { streams_->stop(); }
uint16_t rpc_listener::port() const { return streams_->port(); }
const std::string& rpc_listener::address() const { return streams_->address(); }

rpc_listener_figures rpc_listener::now() const { return {streams_->now(), protocol_->before_login().now()}; }

} // namespace pessoa::node
