// Runs the example programs against nodes in memory: run_examples PRODUCER CONSUMER. Exit 0: what went in
// came out.
#include "tests/client/fake_node.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <sstream>
#include <unistd.h>

namespace {

std::multiset<std::string> lines_of(const std::string& path) {
  std::ifstream in{path};
  std::multiset<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.insert(line);
  return lines;
}

} // namespace

int main(int count, char** args) {
  if (count != 3) return 2;
  pessoa::client::test::fake_cluster fake{2};
  fake.add_topic("lines", 3);
  const char* tmp = std::getenv("TMPDIR");
  std::string folder = std::string{tmp ? tmp : "/tmp"} + "/pessoa-examples-XXXXXX";
  if (!::mkdtemp(folder.data())) return 1;
  {
    std::ofstream in{folder + "/in"};
    for (int i = 0; i < 10'000; ++i)
      in << "line " << i << " with a return\r\n";
  }
  auto run = [&](const std::string& program, const std::string& from, const std::string& to) {
    auto command =
        "'" + program + "' " + fake.address(1) + " lines < '" + folder + from + "' > '" + folder + to + "'";
    return std::system(command.c_str()) == 0;
  };
  bool same = run(args[1], "/in", "/stored") && run(args[2], "/in", "/out")
              && lines_of(folder + "/out") == lines_of(folder + "/in")
              && lines_of(folder + "/stored").size() == 10'000;
  for (auto* name : {"/in", "/out", "/stored"})
    ::unlink((folder + name).c_str());
  ::rmdir(folder.c_str());
  std::cout << (same ? "what the producer wrote, the consumer read\n" : "the records differ\n");
  return same ? 0 : 1;
}
