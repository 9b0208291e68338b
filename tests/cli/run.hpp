// Runs the command in this process with descriptors and an environment of its own.
#pragma once

#include "cli/command.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

namespace pessoa::cli {

// A directory of its own, gone with the object.
struct scratch {
  scratch() {
    auto base = std::getenv("TMPDIR") != nullptr ? std::string{std::getenv("TMPDIR")} : std::string{"/tmp"};
    auto pattern = base + "/pessoa-cli-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

struct outcome {
  int status = -1;
  std::string out;
  std::string err;
};

inline outcome run(const std::vector<std::string>& arguments, environment env = {}) {
  auto contents = [](std::FILE* file) {
    std::string out;
    char piece[4096];
    std::rewind(file);
    while (auto n = std::fread(piece, 1, sizeof piece, file))
      out.append(piece, n);
    std::fclose(file);
    return out;
  };
  std::FILE* in = std::tmpfile();
  std::FILE* out = std::tmpfile();
  std::FILE* err = std::tmpfile();
  REQUIRE((in != nullptr && out != nullptr && err != nullptr));
  outcome result;
  {
    console term{::fileno(in), ::fileno(out), ::fileno(err), std::move(env)};
    result.status = run_command(arguments, term);
  }
  std::fclose(in);
  result.out = contents(out);
  result.err = contents(err);
  return result;
}

} // namespace pessoa::cli
