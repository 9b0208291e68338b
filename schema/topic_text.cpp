// Names and other people's words: what a topic may be called, how foreign text is shown, what somebody may
// have meant.
#include "schema/limits.hpp"
#include "schema/topic_config.hpp"

#include <algorithm>

namespace pessoa {

namespace {

bool letter_of_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_'
         || c == '-';
}

// Insertions, deletions, changes and swaps of neighbours that turn one word into the other; more than `most`
// counts as most + 1. Words here are short: the caller has compared their lengths.
size_t edits(std::string_view a, std::string_view b, size_t most) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return std::min(last[b.size()], most + 1);
}

} // namespace

result<void> check_topic_name(std::string_view text) {
  auto refuse = [text](std::string_view why) {
    return error{ec::invalid_topic_name, "topic name " + quoted(text) + ' ' + std::string{why}};
  };
  if (text.empty()) return refuse("is empty");
  if (text.size() > topic_name_bytes_max)
    return refuse("has " + std::to_string(text.size()) + " bytes, more than "
                  + std::to_string(topic_name_bytes_max));
  if (text == "." || text == "..") return refuse("is reserved");
  auto bad = std::find_if_not(text.begin(), text.end(), letter_of_a_name);
  if (bad != text.end())
    return refuse("has " + quoted({&*bad, 1}) + " at position " + std::to_string(bad - text.begin() + 1));
  return {};
}

std::string quoted(std::string_view text, size_t bytes_max) {
  constexpr std::string_view ellipsis = "...";
  constexpr size_t escape_size = 4;
  PESSOA_ASSERT(bytes_max >= 2 + escape_size + ellipsis.size(), bytes_max);
  constexpr char digits[] = "0123456789abcdef";
  const size_t room = bytes_max - 2; // between the quotes
  std::string out = "'";
  size_t cut_here = 1; // the last place after which the ellipsis would still fit
  for (char c : text) {
    bool plain = c >= 0x20 && c < 0x7f && c != '\'' && c != '\\';
    size_t size = plain ? 1 : escape_size;
    if (out.size() - 1 + size > room) {
      out.resize(cut_here);
      return out.append("'").append(ellipsis);
    }
    if (plain) {
      out.push_back(c);
    } else {
      auto byte = static_cast<uint8_t>(c);
      out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
    if (out.size() - 1 + ellipsis.size() <= room) cut_here = out.size();
  }
  return out.append("'");
}

std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  size_t best_edits = SIZE_MAX;
  for (auto candidate : candidates) {
    size_t longer = std::max(word.size(), candidate.size());
    size_t apart = longer - std::min(word.size(), candidate.size());
    size_t most = std::min(std::max<size_t>(3, candidate.size() / 3), candidate.size() / 2);
    if (apart > most) continue;
    size_t found = edits(word, candidate, most);
    if (found <= most && found < best_edits) {
      best = candidate;
      best_edits = found;
    }
  }
  return std::string{best};
}

} // namespace pessoa
