// Prints the values of all records a topic has now: consumer HOST:PORT TOPIC
#include <pessoa/client.hpp>

#include <iostream>

using namespace pessoa::client;

int main(int, char** args) {
  auto fail = [](const error& e) { return std::cerr << explain(e) << '\n', 1; };
  auto cluster = cluster::connect(args[1]);
  if (!cluster) return fail(cluster.error());
  auto consumer = consumer::create(*cluster);
  if (!consumer) return fail(consumer.error());
  auto assigned = consumer->assign(args[2]);
  if (!assigned) return fail(assigned.error());
  auto placed = consumer->seek_to_start();
  if (!placed) return fail(placed.error());
  for (auto& record : consumer->until_end()) // follow() would go on for ever
    std::cout << record.value.value_or("(null)") << '\n';
  return consumer->error() ? fail(*consumer->error()) : 0;
}
