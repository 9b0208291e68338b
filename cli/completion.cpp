// pessoa completion bash|zsh|fish: scripts made from the command tree itself, so that they cannot fall behind
// it.
#include "cli/command.hpp"

#include "schema/topic_config.hpp"

namespace pessoa::cli {

namespace {

struct words {
  std::string path; // "topic create"; empty for the program
  std::vector<std::string> commands;
  std::vector<std::string> flags;
};

void collect(command at, const std::string& path, std::vector<words>& out) {
  words here{path, {}, at.flags()};
  auto below = at.subcommands();
  for (auto sub : below)
    here.commands.push_back(sub.name());
  out.push_back(here);
  for (auto sub : below)
    collect(sub, path.empty() ? sub.name() : path + " " + sub.name(), out);
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (auto& word : list)
    out += (out.empty() ? "" : " ") + word;
  return out;
}

// The shell function that turns the words so far into candidates; bash and zsh (with bashcompinit) share it.
std::string bash_script(const std::vector<words>& tree) {
  std::string out = "_pessoa() {\n"
                    "  local path=\"\" word i\n"
                    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
                    "    word=\"${COMP_WORDS[i]}\"\n"
                    "    [[ $word == -* ]] && continue\n"
                    "    case \"$path${path:+ }$word\" in\n";
  std::string known;
  for (auto& w : tree)
    if (!w.path.empty()) known += (known.empty() ? "" : "|") + ("\"" + w.path + "\"");
  out += "      " + known + ") path=\"$path${path:+ }$word\" ;;\n";
  out += "    esac\n"
         "  done\n"
         "  local flags=\"\" commands=\"\"\n"
         "  case \"$path\" in\n";
  for (auto& w : tree)
    out += "    \"" + w.path + "\") commands=\"" + joined(w.commands) + "\"; flags=\"" + joined(w.flags)
           + "\" ;;\n";
  out += "  esac\n"
         "  if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$flags\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "  elif [[ -n $commands ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$commands\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "  fi\n"
         "}\n"
         "complete -F _pessoa pessoa\n";
  return out;
}

std::string fish_script(const std::vector<words>& tree) {
  std::string out;
  for (auto& w : tree) {
    std::string when;
    size_t depth = 0;
    for (size_t at = 0; at < w.path.size();) {
      auto space = w.path.find(' ', at);
      auto word = w.path.substr(at, space == std::string::npos ? space : space - at);
      when += (when.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
      at = space == std::string::npos ? w.path.size() : space + 1;
      ++depth;
    }
    if (when.empty()) when = "__fish_use_subcommand";
    if (!w.commands.empty()) {
      auto condition =
          depth == 0 ? when : when + "; and not __fish_seen_subcommand_from " + joined(w.commands);
      out += "complete -c pessoa -f -n '" + condition + "' -a '" + joined(w.commands) + "'\n";
    }
    for (auto& flag : w.flags)
      out += "complete -c pessoa -n '" + when + "' -l " + flag.substr(2) + "\n";
  }
  return out;
}

} // namespace

void add_completion(command root, invocation& inv) {
  auto app = root.add_subcommand("completion", "Print a completion script: bash, zsh or fish");
  auto shell = std::make_shared<std::string>();
  app.add_parsed(
         "SHELL", *shell,
         [](const std::string& text) -> result<std::string> {
           if (text == "bash" || text == "zsh" || text == "fish") return text;
           return error{ec::invalid_argument, pessoa::quoted(text) + " is none of bash, zsh, fish"};
         },
         "bash: source <(pessoa completion bash)")
      .required();
  app.callback([&inv, root, shell] {
    inv.run = [&term = inv.term, root, shell] {
      std::vector<words> tree;
      collect(root, {}, tree);
      if (*shell == "fish")
        term.write(fish_script(tree));
      else if (*shell == "bash")
        term.write(bash_script(tree));
      else
        term.write("#compdef pessoa\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(tree));
      return exit_ok;
    };
  });
}

} // namespace pessoa::cli
