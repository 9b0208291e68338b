#include "simulations/world/client_process.hpp"

#include "schema/assert.hpp"

namespace pessoa::sim {

namespace {

client::client_config config_from(const std::map<std::string, std::string>& entries) {
  client::settings settings;
  auto set = settings.set_all(entries);
  PESSOA_ASSERT(set.ok(), client::to_string(set.error()));
  auto config = client::client_config::from(settings);
  PESSOA_ASSERT(config.ok(), client::to_string(config.error()));
  return *config;
}

} // namespace

client_process::client_process(world& of, machine& on, std::string name,
                               const std::map<std::string, std::string>& settings)
    : process(of.time(), on, std::move(name)), world_(of), config_(config_from(settings)),
      network_(of.net().at(on, shared_loop())) {
  loop().enter([this] {
    io_ = network_->make_loop("client");
    tasks_ = std::make_unique<kj::TaskSet>(errors_);
    core_ = std::make_shared<client::engine>(
        client::environment{io_.get(), &this->on(), &world_.random().process}, config_);
  });
  world_.add(*this);
}

client_process::~client_process() {
  end();
  world_.remove(*this);
  loop().enter([this] {
    tasks_.reset();
    core_->drop_tasks();
    core_.reset();
    up_ = nullptr;
    loop().drop_all();
    io_.reset();
    network_.reset();
  });
}

void client_process::errors::taskFailed(kj::Exception&& e) {
  of.world_.fail("no exception in a client", of.name() + ": " + std::string{e.getDescription().cStr()});
}

void client_process::connect(std::function<void()> up) {
  up_ = std::move(up);
  loop().enter([this] { try_connect(); });
}

void client_process::try_connect() {
  core_->start([this](client::result<void> started) {
    if (core_->stopped()) return;
    if (!started.ok()) return after(100 * millisecond, [this] { try_connect(); });
    if (auto up = std::exchange(up_, nullptr)) up();
  });
}

void client_process::after(world_time span, std::function<void()> work) {
  run(loop().timer().afterDelay(span * kj::NANOSECONDS).then([work = std::move(work)] { work(); }));
}

void client_process::end() {
  loop().enter([this] {
    if (!core_->stopped()) core_->stop();
  });
}

} // namespace pessoa::sim
