// Supervision inside a node: an actor that fails unexpectedly ends the process, which restarts from disk. Half-dead
// nodes do not exist (failures C11). Expected ends are written at each role.
#pragma once

#include "actors/environment.hpp"

#include <caf/error.hpp>
#include <caf/scheduled_actor.hpp>

#include <exception>
#include <string>

namespace pessoa::actors {

// To be called first in every behaviour.
template <class Self>
void supervise(Self* self, environment* env, const char* role) {
  if (env->born) env->born(self->address());
  self->set_exception_handler([env, role](std::exception_ptr& thrown) -> caf::error {
    std::string what = "unknown exception";
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      what = e.what();
    } catch (...) { // its type says nothing to us
    }
    env->fatal(std::string{role} + " threw: " + what);
    return caf::exit_reason::unhandled_exception;
  });
}

} // namespace pessoa::actors
