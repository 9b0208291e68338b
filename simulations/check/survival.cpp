#include "simulations/check/survival.hpp"

#include "schema/limits.hpp"

#include <algorithm>
#include <malloc.h>

namespace pessoa::sim {

namespace {

constexpr int64_t margin_bytes = 64 << 20;
constexpr int64_t strangers_bytes =
    3 * (32 << 20); // Kafka's small and large first requests, RPC before login

// 0 under a sanitizer's allocator: then nothing is found too large.
int64_t allocated_bytes() {
  auto now = ::mallinfo2();
  return static_cast<int64_t>(now.uordblks + now.hblkhd);
}

} // namespace

survival::survival(world& of, node_place& node) : world_(of), node_(node), began_with_(allocated_bytes()) {
  of.after_step.push_back([this](process&) { look(); });
  weigh();
}

void survival::look() {
  short_of_room_ = short_of_room_ || node_.disk().capacity() < sim_disk_options{}.capacity_bytes;
  if (node_.own_ends() != ends_) {
    ends_ = node_.own_ends();
    if (node_.last_end_troubles() == 0 && !short_of_room_)
      return world_.fail(unexpected_end, "node " + node_.on().address()
                                             + " ended its process, and its disk had done nothing to it: "
                                             + node_.last_end().value_or(""));
  }
  if (node_.lives() != life_) {
    life_ = node_.lives();
    short_of_room_ = false;
  }
}

void survival::weigh() {
  auto& settings = node_.settings();
  auto budgets =
      static_cast<int64_t>(settings.memory_budget_bytes
                           + std::max<uint64_t>(settings.memory_budget_bytes / 2, connection_bytes_budget));
  auto grown = allocated_bytes() - began_with_ - static_cast<int64_t>(node_.disk().bytes_used());
  if (auto bound = budgets + strangers_bytes + margin_bytes; grown > bound)
    return world_.fail(memory, std::to_string(grown) + " bytes more than at the beginning, "
                                   + std::to_string(bound) + " are allowed");
  world_.time().after(second, [this] { weigh(); });
}

} // namespace pessoa::sim
