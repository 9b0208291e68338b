// CAF's testing scheduler for a node of the world: jobs wait until they are picked, and the end runs nobody's code.
#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

namespace pessoa::sim {

class coordinator final : public caf::scheduler::test_coordinator {
public:
  explicit coordinator(caf::actor_system& system) : caf::scheduler::test_coordinator(system) {}

  void drop_all() {
    clock().cancel_all();
    while (!jobs.empty()) {
      auto* job = jobs.front();
      jobs.pop_front();
      caf::intrusive_ptr_release(job);
    }
  }
  // The stock one runs what waits and fires every time-out.
  void stop() override { drop_all(); }

  static void install(caf::actor_system_config& config) {
    config.module_factories.emplace_back(
        [](caf::actor_system& system) -> caf::actor_system::module* { return new coordinator{system}; });
  }
};

} // namespace pessoa::sim
