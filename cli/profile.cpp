#include "cli/profile.hpp"

#include "cli/files.hpp"
#include "schema/topic_config.hpp"

#include <algorithm>
#include <filesystem>
#include <unistd.h>

namespace pessoa::cli {

namespace {

std::string config_root(const environment& env) {
  auto value = [&](const char* name) {
    auto found = env.find(name);
    return found == env.end() ? std::string{} : found->second;
  };
  if (auto xdg = value("XDG_CONFIG_HOME"); !xdg.empty()) return xdg + "/pessoa";
  auto home = value("HOME");
  return (home.empty() ? std::string{"/"} : home) + "/.config/pessoa";
}

} // namespace

result<std::string> check_profile_name(std::string_view text) {
  bool good = !text.empty() && text.size() <= 64 && text.front() != '.' && text.front() != '-';
  for (char c : text)
    good = good
           && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.'
               || c == '_' || c == '-');
  if (!good)
    return error{ec::invalid_argument,
                 pessoa::quoted(text) + " is no name: letters, digits, '.', '_' and '-', at most 64"};
  return std::string{text};
}

profile_store::profile_store(const environment& env) : root_(config_root(env)) {}

std::string profile_store::path(const std::string& name) const {
  return root_ + "/profiles/" + name + ".json";
}

result<profile> profile_store::load(const std::string& name) const {
  PESSOA_CHECK([&]() -> result<void> {
    PESSOA_TRY(auto checked, check_profile_name(name));
    (void)checked;
    return {};
  }());
  auto text = read_file(path(name));
  if (!text && text.error().code == ec::not_found) {
    auto known = names();
    auto guess = nearest(name, {known.begin(), known.end()});
    return error{ec::not_found, "there is no profile " + pessoa::quoted(name)
                                    + (guess.empty() ? "; 'pessoa profile list' shows them"
                                                     : "; did you mean " + guess + "?")};
  }
  if (!text) return text.error();
  auto parsed = json::parse(*text, nullptr, false);
  auto damaged = error{ec::invalid_argument, "the profile " + path(name) + " is damaged: remove the file"};
  if (!parsed.is_object() || !parsed.contains("bootstrap") || !parsed["bootstrap"].is_array()) return damaged;
  profile out;
  out.name = name;
  for (auto& address : parsed["bootstrap"]) {
    if (!address.is_string()) return damaged;
    out.bootstrap.push_back(address.get<std::string>());
  }
  if (auto id = parsed.find("clusterId"); id != parsed.end() && id->is_string())
    out.cluster_id = id->get<std::string>();
  if (auto dev = parsed.find("dev"); dev != parsed.end()) out.dev = *dev;
  return out;
}

result<void> profile_store::save(const profile& p) const {
  PESSOA_TRY(auto name, check_profile_name(p.name));
  json out{{"bootstrap", p.bootstrap}};
  if (!p.cluster_id.empty()) out["clusterId"] = p.cluster_id;
  if (!p.dev.is_null()) out["dev"] = p.dev;
  return write_file(path(name), out.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

void profile_store::remove(const std::string& name) const { ::unlink(path(name).c_str()); }

std::vector<std::string> profile_store::names() const {
  std::vector<std::string> out;
  std::error_code trouble;
  for (auto& entry : std::filesystem::directory_iterator{root_ + "/profiles", trouble}) {
    auto file = entry.path();
    if (file.extension() == ".json") out.push_back(file.stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string profile_store::selected() const {
  auto text = read_file(root_ + "/selected");
  if (!text) return {};
  auto name = text->substr(0, text->find('\n'));
  return name;
}

result<void> profile_store::select(const std::string& name) const {
  if (name.empty()) {
    ::unlink((root_ + "/selected").c_str());
    return {};
  }
  return write_file(root_ + "/selected", name + "\n");
}

} // namespace pessoa::cli
