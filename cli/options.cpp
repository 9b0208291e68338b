#include "cli/options.hpp"

#include "schema/topic_config.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace pessoa::cli {

namespace {

// The deepest subcommand that was reached, and how it is called: "pessoa topic create".
std::pair<const CLI::App*, std::string> deepest(const CLI::App& root) {
  const CLI::App* at = &root;
  std::string name = "pessoa";
  while (true) {
    auto below = at->get_subcommands();
    if (below.empty()) return {at, name};
    at = below.back();
    name += " " + at->get_name();
  }
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (auto* option : app.get_options()) {
    for (auto& name : option->get_lnames())
      out.push_back("--" + name);
  }
  return out;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(sub->get_name());
  return out;
}

std::string guess(std::string_view word, const std::vector<std::string>& known) {
  return nearest(word, {known.begin(), known.end()});
}

// What is wrong with a word that nothing took.
std::string unknown_word(const std::string& word, const CLI::App& app, const std::string& command) {
  if (word.size() > 1 && word.front() == '-') {
    auto name = word.substr(0, word.find('='));
    auto near = guess(name, flag_names(app));
    return "unknown flag " + pessoa::quoted(name) + " of '" + command + "'"
           + (near.empty() ? "" : "; did you mean " + near + "?");
  }
  auto commands = command_names(app);
  if (commands.empty()) return "unexpected argument " + pessoa::quoted(word) + " of '" + command + "'";
  auto near = guess(word, commands);
  return "unknown command " + pessoa::quoted(word) + " of '" + command + "'"
         + (near.empty() ? "" : "; did you mean " + near + "?");
}

std::string what_is_wrong(const CLI::ParseError& e, const CLI::App& root) {
  auto found = deepest(root);
  auto& app = *found.first;
  auto left = root.remaining(true);
  left.erase(std::remove(left.begin(), left.end(), "--"), left.end());
  bool incomplete = dynamic_cast<const CLI::RequiredError*>(&e) != nullptr;
  bool extra = dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr;
  if (!left.empty() && (extra || (incomplete && !command_names(app).empty())))
    return unknown_word(left.front(), app, found.second);
  if (incomplete && !command_names(app).empty()) {
    std::string names;
    for (auto& name : command_names(app))
      names += (names.empty() ? "" : ", ") + name;
    return "'" + found.second + "' needs a command: " + names;
  }
  return "'" + found.second + "': " + e.what();
}

// One value per flag: otherwise "-H a=b FILE" would swallow the file.
CLI::Option* repeated(CLI::Option* at) { return at->type_name("")->allow_extra_args(false)->take_all(); }

void hand(const command::take_text& take, const std::string& name, const std::string& text) {
  if (auto taken = take(text); !taken) throw CLI::ValidationError(name, taken.error().message);
}

} // namespace

// -- options ---

void option::required() const { at_->required(); }

option command::add_flag(std::string names, bool& target, std::string about) const {
  return option{*at_->add_flag(std::move(names), target, std::move(about))};
}

option command::add_text(std::string names, std::string& target, std::string about) const {
  return option{*at_->add_option(std::move(names), target, std::move(about))->type_name("")};
}

option command::add_text(std::string names, std::optional<std::string>& target, std::string about) const {
  auto take = [&target](const std::string& text) {
    target = text;
    return result<void>{};
  };
  return add_taken(std::move(names), take, std::move(about));
}

option command::add_texts(std::string names, std::vector<std::string>& target, std::string about) const {
  return option{*repeated(at_->add_option(std::move(names), target, std::move(about)))};
}

option command::add_words(std::string name, std::vector<std::string>& target, std::string about) const {
  return option{*at_->add_option(std::move(name), target, std::move(about))->type_name("")->take_all()};
}

option command::add_taken(std::string names, take_text take, std::string about) const {
  auto each = [take = std::move(take), names](const std::string& text) { hand(take, names, text); };
  return option{*at_->add_option_function<std::string>(names, each, std::move(about))->type_name("")};
}

option command::add_each_taken(std::string names, take_text take, std::string about) const {
  auto all = [take = std::move(take),
              name = names.substr(0, names.find(','))](const std::vector<std::string>& texts) {
    for (auto& text : texts)
      hand(take, name, text);
  };
  return option{
      *repeated(at_->add_option_function<std::vector<std::string>>(std::move(names), all, std::move(about)))};
}

// -- commands ---

command command::add_subcommand(std::string name, std::string about) const {
  return command{*at_->add_subcommand(std::move(name), std::move(about))};
}
void command::require_subcommand() const { at_->require_subcommand(1); }
void command::footer(std::string text) const { at_->footer(std::move(text)); }
void command::callback(std::function<void()> chosen) const { at_->callback(std::move(chosen)); }
void command::prefix_command() const { at_->prefix_command(); }
void command::no_help_flag() const { at_->set_help_flag(); }
void command::version_flag(std::string name, std::string text) const {
  at_->set_version_flag(std::move(name), std::move(text));
}

bool command::given(const std::string& name) const { return at_->count(name) > 0; }
std::vector<std::string> command::remaining() const { return at_->remaining(); }
const std::string& command::name() const { return at_->get_name(); }

std::vector<command> command::subcommands() const {
  std::vector<command> out;
  for (auto* below : at_->get_subcommands([](CLI::App*) { return true; }))
    out.emplace_back(*below);
  return out;
}

std::vector<std::string> command::flags() const { return flag_names(*at_); }

// -- the whole line ---

command_tree::command_tree(std::string name, std::string about)
    : root_(std::make_unique<CLI::App>(std::move(about), std::move(name))) {}
command_tree::~command_tree() = default;

command command_tree::root() const { return command{*root_}; }

parsed_line command_tree::parse(const std::vector<std::string>& arguments) {
  using enum parsed_line::outcome;
  // CLI11 takes the arguments from the back.
  std::vector<std::string> reversed{arguments.rbegin(), arguments.rend()};
  parsed_line out;
  try {
    root_->parse(reversed);
  } catch (const CLI::CallForHelp&) {
    out = {help, root_->help(), {}};
  } catch (const CLI::CallForAllHelp&) {
    out = {help, root_->help("", CLI::AppFormatMode::All), {}};
  } catch (const CLI::CallForVersion&) {
    out = {version, {}, {}};
  } catch (const CLI::ParseError& e) {
    out = {refused, what_is_wrong(e, *root_), {}};
  }
  out.command = deepest(*root_).second;
  return out;
}

} // namespace pessoa::cli
