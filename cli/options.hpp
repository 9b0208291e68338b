// Commands and their options, as the file of a verb declares them. options.cpp alone knows CLI11: that is headers only, and
// a file that touches a CLI::App compiles all of its virtual functions once more, six seconds each time.
//
// A `command` or an `option` is a handle, copied freely and good for as long as its `command_tree`. What an option fills in
// lives until the command has run; the closures hold it.
#pragma once

#include "schema/result.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace pessoa::cli {

class option {
public:
  explicit option(CLI::Option& at) : at_(&at) {}
  void required() const;

private:
  CLI::Option* at_;
};

class command {
public:
  explicit command(CLI::App& at) : at_(&at) {}

  // -- declared ---
  [[nodiscard]] command add_subcommand(std::string name, std::string about) const;
  void require_subcommand() const; // exactly one
  void footer(std::string text) const;
  void callback(std::function<void()> chosen) const;
  // Takes the words from the first one on that it does not know, flags too; remaining() has them.
  void prefix_command() const;
  void no_help_flag() const;
  void version_flag(std::string name, std::string text) const;

  option add_flag(std::string names, bool& target, std::string about) const;
  option add_text(std::string names, std::string& target, std::string about) const;
  option add_text(std::string names, std::optional<std::string>& target, std::string about) const;
  // May be given several times, one value each.
  option add_texts(std::string names, std::vector<std::string>& target, std::string about) const;
  // A positional argument that takes as many words as there are.
  option add_words(std::string name, std::vector<std::string>& target, std::string about) const;

  // `take` is handed the text; what it refuses is a usage error.
  using take_text = std::function<result<void>(const std::string&)>;
  option add_taken(std::string names, take_text take, std::string about) const;
  // May be given several times; `take` is handed one after the other.
  option add_each_taken(std::string names, take_text take, std::string about) const;
  // An option whose text is parsed by `parse` (text -> result<T>).
  template <class T, class Parse>
  option add_parsed(std::string names, T& target, Parse parse, std::string about) const {
    auto take = [&target, parse](const std::string& text) -> result<void> {
      PESSOA_TRY(target, parse(text));
      return {};
    };
    return add_taken(std::move(names), std::move(take), std::move(about));
  }

  // -- known once a line is parsed ---
  [[nodiscard]] bool given(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> remaining() const;

  // -- the tree ---
  [[nodiscard]] const std::string& name() const;
  [[nodiscard]] std::vector<command> subcommands() const;
  [[nodiscard]] std::vector<std::string> flags() const; // "--bootstrap", and its other long names

private:
  CLI::App* at_;
};

// What became of a command line.
struct parsed_line {
  enum class outcome { chosen, help, version, refused };
  outcome what = outcome::chosen;
  std::string text;    // the help, or what is wrong
  std::string command; // the deepest that was reached, and how it is called: "pessoa topic create"
};

class command_tree {
public:
  command_tree(std::string name, std::string about);
  command_tree(const command_tree&) = delete;
  command_tree& operator=(const command_tree&) = delete;
  ~command_tree();

  [[nodiscard]] command root() const;
  // Without the program's name. The callbacks of what was chosen have run when it says `chosen`.
  [[nodiscard]] parsed_line parse(const std::vector<std::string>& arguments);

private:
  std::unique_ptr<CLI::App> root_;
};

} // namespace pessoa::cli
