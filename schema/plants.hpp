// Named sites for the simulator: planted bugs, which it must find, or it proves nothing; and probes, places that a good
// set of seeds must reach.
//
// In the product PESSOA_PLANT("...") is the constant false and PESSOA_PROBE("...") is nothing. Only libraries built with
// PESSOA_PLANTS, which the simulator links, have the sites. One plant at a time is switched on, by name. A plant changes
// one decision; it never asserts, aborts or tells a checker. docs/simulations.md lists both.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace pessoa::plants {

inline std::string& active() {
  static std::string name;
  return name;
}
inline bool is_active(std::string_view name) { return active() == name; }

// How often each probe was passed since it was last cleared. For one thread.
inline std::map<std::string_view, uint64_t>& probes() {
  static std::map<std::string_view, uint64_t> counts;
  return counts;
}

} // namespace pessoa::plants

#ifdef PESSOA_PLANTS
#  define PESSOA_PLANT(name) (::pessoa::plants::is_active(name))
#  define PESSOA_PROBE(name) ((void)++::pessoa::plants::probes()[name])
#else
#  define PESSOA_PLANT(name) false
#  define PESSOA_PROBE(name) ((void)0)
#endif
