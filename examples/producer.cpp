// Writes each line of its input as a record: producer HOST:PORT TOPIC < FILE
#include <pessoa/client.hpp>

#include <iostream>

using namespace pessoa::client;

int main(int, char** args) {
  auto fail = [](const error& e) { return std::cerr << explain(e) << '\n', 1; };
  auto cluster = cluster::connect(args[1]);
  if (!cluster) return fail(cluster.error());
  auto producer = producer::create(*cluster);
  if (!producer) return fail(producer.error());
  for (std::string line; std::getline(std::cin, line);) {
    auto done = [line](const result<delivery>& stored) {
      if (stored)
        std::cout << "partition " << stored->partition << " offset " << stored->offset << '\n';
      else
        std::cerr << line << ": " << explain(stored.error()) << '\n';
    };
    auto sent = producer->send(args[2], {.value = line}, done); // waits when the buffer is full
    if (!sent) return fail(sent.error());
  }
  auto flushed = producer->flush(std::chrono::minutes{2});
  return flushed && producer->stats().records_failed == 0 ? 0 : 1;
}
