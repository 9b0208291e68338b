#include "simulations/world/program.hpp"

namespace pessoa::sim {

program::program(world& of, machine& on, std::string name)
    : process(of.time(), on, std::move(name)), world_(of), network_(of.net().at(on, shared_loop())) {
  loop().enter([this] {
    io_ = network_->make_loop("client");
    tasks_ = std::make_unique<kj::TaskSet>(errors_);
  });
  world_.add(*this);
}

program::~program() {
  world_.remove(*this);
  loop().enter([this] {
    tasks_.reset();
    loop().drop_all();
    io_.reset();
    network_.reset();
  });
}

void program::errors::taskFailed(kj::Exception&& e) {
  of.world_.fail("no_exception_in_a_client", of.name() + ": " + std::string{e.getDescription().cStr()});
}

kj::Promise<void> program::sleep(world_time span) {
  return loop().timer().afterDelay(span * kj::NANOSECONDS);
}

void program::after(world_time span, std::function<void()> work) {
  run(sleep(span).then([work = std::move(work)] { work(); }));
}

void program::drop_tasks() { tasks_ = std::make_unique<kj::TaskSet>(errors_); }

void program::expect_lost(const kj::Exception& e) {
  if (e.getType() != kj::Exception::Type::DISCONNECTED)
    world_.fail("no_exception_in_a_client", name() + ": " + std::string{e.getDescription().cStr()});
}

} // namespace pessoa::sim
