#include "simulations/storage/stepped_pool.hpp"
#include "tests/schema/seams_contract.hpp"

using namespace pessoa;
using namespace pessoa::tests;

TEST_CASE("simulations: the pool of drawn moments keeps the contract", "[seams]") {
  seeded_random random{5};
  check_pool([&] { return std::make_unique<sim::stepped_pool>(random); },
             [](thread_pool& pool, auto) {
               auto& stepped = static_cast<sim::stepped_pool&>(pool);
               while (!stepped.idle())
                 stepped.step();
             });
}
