// Catch2's main, compiled once for all test executables (12 seconds).
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
