#include "node/metrics.hpp"

#include "schema/assert.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace pessoa::node {

namespace {

bool is_name(const std::string& text, bool colon) {
  auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
  };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9');
  });
}

void append_escaped(std::string& out, const std::string& text, bool quotes) {
  for (char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
}

std::string label_text(const metric_labels& labels) {
  std::string out;
  for (auto& [name, value] : labels) {
    PESSOA_ASSERT(is_name(name, false) && name != "le" && name.rfind("__", 0) != 0, name);
    if (!out.empty()) out += ',';
    out += name + "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[64];
  auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

void append_line(std::string& out, const std::string& name, const std::string& labels,
                 const std::string& value) {
  out += name;
  if (!labels.empty()) out += '{' + labels + '}';
  out += ' ' + value + '\n';
}

void append_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const metric_histogram::snapshot& seen) {
  auto with_bound = [&](const std::string& bound) {
    return labels + (labels.empty() ? "le=\"" : ",le=\"") + bound + '"';
  };
  for (auto& [bound, count] : seen.cumulative)
    append_line(out, name + "_bucket", with_bound(number(bound)), std::to_string(count));
  append_line(out, name + "_bucket", with_bound("+Inf"), std::to_string(seen.count));
  append_line(out, name + "_sum", labels, number(seen.sum));
  append_line(out, name + "_count", labels, std::to_string(seen.count));
}

} // namespace

void metric_histogram::record(uint64_t value) {
  // The first bucket whose bound, first_bound << index, is not below the value.
  size_t index = value == 0 ? 0 : static_cast<size_t>(std::bit_width((value - 1) / first_bound()));
  buckets_[std::min(index, doublings())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

metric_histogram::snapshot metric_histogram::now() const {
  snapshot out;
  double scale = unit_ == unit::seconds ? 1e9 : 1;
  for (size_t i = 0; i <= doublings(); ++i) {
    out.count += buckets_[i].load(std::memory_order_relaxed);
    if (i < doublings())
      out.cumulative.emplace_back(static_cast<double>(first_bound() << i) / scale, out.count);
  }
  out.sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) / scale;
  return out;
}

bool metrics_registry::series::alive() const {
  return !counter.expired() || !histogram.expired() || !callback_alive.expired();
}

// Under the mutex.
metrics_registry::series& metrics_registry::place(const std::string& name, const std::string& help,
                                                  const char* type, const std::string& labels) {
  PESSOA_ASSERT(is_name(name, true) && name.rfind("pessoa_", 0) == 0, name);
  auto& f = table_->families.try_emplace(name, family{help, type, {}}).first->second;
  PESSOA_ASSERT(std::string_view{f.type} == type, name, f.type, type);
  return f.by_labels[labels];
}

std::shared_ptr<metric_counter> metrics_registry::counter(const std::string& name, const std::string& help,
                                                          const metric_labels& labels) {
  auto text = label_text(labels);
  std::lock_guard guard{table_->mutex};
  auto& s = place(name, help, "counter", text);
  auto out = s.counter.lock();
  if (!out) {
    PESSOA_ASSERT(!s.alive(), "registered as a callback", name);
    s.counter = out = std::make_shared<metric_counter>();
  }
  return out;
}

std::shared_ptr<metric_histogram> metrics_registry::histogram(const std::string& name,
                                                              const std::string& help,
                                                              metric_histogram::unit unit,
                                                              const metric_labels& labels) {
  auto text = label_text(labels);
  std::lock_guard guard{table_->mutex};
  auto& s = place(name, help, "histogram", text);
  auto out = s.histogram.lock();
  if (!out) s.histogram = out = std::make_shared<metric_histogram>(unit);
  return out;
}

metric_handle metrics_registry::callback(const std::string& name, const std::string& help, const char* type,
                                         const metric_labels& labels, series made) {
  auto text = label_text(labels);
  std::lock_guard guard{table_->mutex};
  auto& s = place(name, help, type, text);
  PESSOA_ASSERT(!s.alive(), "registered twice", name, text);
  // Its end passes through the mutex, under which callbacks run. The function goes with it.
  metric_handle handle{new char, [table = table_, name, text](void* p) {
                         std::function<double()> read;
                         std::function<metric_histogram::snapshot()> read_histogram;
                         {
                           std::lock_guard guard{table->mutex};
                           auto f = table->families.find(name);
                           if (f != table->families.end()) {
                             auto at = f->second.by_labels.find(text);
                             if (at != f->second.by_labels.end() && at->second.callback_alive.expired()) {
                               read.swap(at->second.read);
                               read_histogram.swap(at->second.read_histogram);
                               f->second.by_labels.erase(at);
                             }
                           }
                         }
                         delete static_cast<char*>(p);
                       }};
  s = std::move(made);
  s.callback_alive = handle;
  return handle;
}

metric_handle metrics_registry::counter_callback(const std::string& name, const std::string& help,
                                                 const metric_labels& labels, std::function<double()> read) {
  series made;
  made.read = std::move(read);
  return callback(name, help, "counter", labels, std::move(made));
}

metric_handle metrics_registry::gauge(const std::string& name, const std::string& help,
                                      const metric_labels& labels, std::function<double()> read) {
  series made;
  made.read = std::move(read);
  return callback(name, help, "gauge", labels, std::move(made));
}

metric_handle metrics_registry::histogram_callback(const std::string& name, const std::string& help,
                                                   const metric_labels& labels,
                                                   std::function<metric_histogram::snapshot()> read) {
  series made;
  made.read_histogram = std::move(read);
  return callback(name, help, "histogram", labels, std::move(made));
}

std::string metrics_registry::exposition() const {
  std::string out;
  std::lock_guard guard{table_->mutex};
  for (auto f = table_->families.begin(); f != table_->families.end();) {
    auto& [name, fam] = *f;
    std::erase_if(fam.by_labels, [](auto& entry) { return !entry.second.alive(); });
    if (fam.by_labels.empty()) {
      f = table_->families.erase(f);
      continue;
    }
    out += "# HELP " + name + ' ';
    append_escaped(out, fam.help, false);
    out += "\n# TYPE " + name + ' ' + fam.type + '\n';
    for (auto& [labels, s] : fam.by_labels) {
      if (auto counter = s.counter.lock())
        append_line(out, name, labels, std::to_string(counter->value()));
      else if (auto histogram = s.histogram.lock())
        append_histogram(out, name, labels, histogram->now());
      else if (s.read_histogram)
        append_histogram(out, name, labels, s.read_histogram());
      else if (s.read)
        append_line(out, name, labels, number(s.read()));
    }
    ++f;
  }
  return out;
}

} // namespace pessoa::node
