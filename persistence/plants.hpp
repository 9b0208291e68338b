// Named sites for planted bugs: the simulator must find each of them, or it proves nothing.
//
// In the product PESSOA_PLANT("...") is the constant false. Only a library built with PESSOA_PLANTS (the
// test's and the driver's) has the sites, and there one name at a time can be switched on.
// docs/simulations.md lists them.
#pragma once

#ifdef PESSOA_PLANTS

#  include <string>
#  include <string_view>

namespace pessoa::persistence::plants {

inline std::string& active() {
  static std::string name;
  return name;
}
inline bool is_active(std::string_view name) { return active() == name; }

} // namespace pessoa::persistence::plants

#  define PESSOA_PLANT(name) (::pessoa::persistence::plants::is_active(name))

#else

#  define PESSOA_PLANT(name) false

#endif
