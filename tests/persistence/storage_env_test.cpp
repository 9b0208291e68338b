#include "tests/persistence/storage_env_contract.hpp"

#include "simulations/disk/sim_disk.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace pessoa;
using namespace pessoa::persistence;
using namespace pessoa::sim;

TEST_CASE("storage_env: the real disk keeps the contract", "[persistence][storage_env]") {
  tests::temporary_directory directory;
  auto env = make_posix_storage_env();
  tests::storage_env_contract(*env, directory.path());
}

TEST_CASE("storage_env: the simulated disk keeps the contract", "[persistence][storage_env]") {
  auto strict = GENERATE(true, false);
  seeded_random random{7};
  sim_disk disk{random, {.strict_names = strict}};
  disk.env().create_directories("root/of/test").value();
  tests::storage_env_contract(disk.env(), "root/of/test");
}

TEST_CASE("storage_env: a simulated disk keeps the contract after a crash, too",
          "[persistence][storage_env]") {
  auto kind = GENERATE(crash_kind::kill, crash_kind::power);
  seeded_random random{8};
  sim_disk disk{random};
  create_directories_durably(disk.env(), "root").value();
  auto lock = disk.env().lock_exclusively("root/lock").value();
  disk.env().sync_directory("root").value();
  disk.crash(kind);
  CHECK(disk.env().lock_exclusively("root/lock").ok()); // a lock dies with its process
  disk.env().remove_file("root/lock").value();
  tests::storage_env_contract(disk.env(), "root");
}

TEST_CASE("storage_env: a full device is told apart from a failed one", "[persistence][storage_env]") {
  auto env = make_posix_storage_env();
  auto full = env->open_file("/dev/full", open_mode::read_write).value();
  auto refused = full->write_at(0, as_bytes("x"));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ec::disk_full);
  CHECK(refused.error().message.find("/dev/full") != std::string::npos);
  auto failed = env->open_file("/", open_mode::read_write);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == ec::storage_failed);
}

TEST_CASE("storage_env: the parent of a path is found as a shell finds it", "[persistence][storage_env]") {
  CHECK(parent_directory("/a/b/c") == "/a/b");
  CHECK(parent_directory("a/b/") == "a");
  CHECK(parent_directory("a//b") == "a");
  CHECK(parent_directory("a") == ".");
  CHECK(parent_directory("/a") == "/");
  CHECK(parent_directory("/") == "/");
}
