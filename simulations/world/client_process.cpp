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
    : program(of, on, std::move(name)), config_(config_from(settings)) {
  loop().enter([this] {
    core_ = std::make_shared<client::engine>(
        client::environment{&io(), &this->on(), &this->of().random().process}, config_);
  });
}

client_process::~client_process() {
  end();
  loop().enter([this] {
    drop_tasks();
    core_->drop_tasks();
    core_.reset();
    up_ = nullptr;
  });
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

void client_process::end() {
  loop().enter([this] {
    if (!core_->stopped()) core_->stop();
  });
  loop().enter([this] { drop_tasks(); });
}

} // namespace pessoa::sim
