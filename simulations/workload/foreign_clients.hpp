// The clients of a run that are not ours: writers and readers that speak Kafka's protocol, and hostile ones. Each has a
// machine and a program of its own, and settings drawn from what real clients use.
#pragma once

#include "simulations/workload/hostile.hpp"
#include "simulations/workload/kafka_reader.hpp"
#include "simulations/workload/kafka_writer.hpp"

#include <memory>

namespace pessoa::sim {

class foreign_clients {
public:
  foreign_clients(world& of, history& past, std::vector<std::string> topics, std::string subnet);
  ~foreign_clients();

  // Begin to work at once.
  void add_writers(int32_t count); // idempotent or plain, by draw
  void add_readers(int32_t count);
  void add_hostile(int32_t count);

  // Writers: no new records; how many still wait for their answer.
  void stop();
  [[nodiscard]] size_t open() const;
  // Readers: on to the end. Who is not there yet, in words.
  void catch_up();
  [[nodiscard]] std::optional<std::string> behind() const;

private:
  program& add_program(const std::string& kind);
  kafka_session_options draw_session();
  kafka_writer_options draw_writer();
  kafka_reader_options draw_reader();

  world& world_;
  history& past_;
  const std::vector<std::string> topics_;
  const std::string subnet_; // "10.0.2.", in front of a machine's number
  std::vector<std::unique_ptr<program>> programs_;
  std::vector<std::unique_ptr<kafka_writer>> writers_;
  std::vector<std::unique_ptr<kafka_reader>> readers_;
  std::vector<std::unique_ptr<hostile>> hostile_;
};

} // namespace pessoa::sim
