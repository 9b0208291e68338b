#include "simulations/check/progress.hpp"

namespace pessoa::sim {

progress_check::progress_check(world& of) : world_(of) {
  of.after_step.push_back([this](process& ran) {
    if (moment_ != world_.now()) {
      moment_ = world_.now();
      steps_ = 0;
    }
    if (++steps_ > steps_max)
      world_.fail(name,
                  std::to_string(steps_max) + " steps at one moment, the last of them by " + ran.name());
  });
}

} // namespace pessoa::sim
