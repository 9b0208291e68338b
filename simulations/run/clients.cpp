#include "simulations/run/clients.hpp"

#include "client/rpc/admin_calls.hpp"

#include <algorithm>
#include <utility>

namespace pessoa::sim {

clients::clients(world& of, history& past, const scenario& what, knobs& drawn)
    : world_(of), past_(past), what_(what), knobs_(drawn) {
  for (int32_t i = 1; i <= what_.topics; ++i)
    topics_.push_back("t" + std::to_string(i));
  for (int32_t i = 1; i <= what_.churning_topics && what_.administrators > 0; ++i)
    churning_.push_back("c" + std::to_string(i));
}

// `more` stands above what is drawn.
client_process& clients::add(const std::string& name, std::map<std::string, std::string> more) {
  more.merge(knobs_.of_client(name, "10.0.0.1:18880"));
  auto& on = world_.add_machine("10.0.1." + std::to_string(++ever_));
  processes_.push_back(std::make_unique<client_process>(world_, on, name, more));
  return *processes_.back();
}

// -- peace ---

void clients::create_topics() {
  add("admin").connect([this] { create_topic(0); });
}

void clients::create_topic(size_t index) {
  if (index == topics_.size()) return static_cast<void>(created_ = true);
  client::new_topic topic;
  topic.name = topics_[index];
  topic.partitions = what_.partitions;
  topic.config = knobs_.of_topic(topic.name, false);
  auto& in = *processes_.front();
  in.run(client::create_topic(*in.core(), topic)
             .then([this, &in, index](client::result<client::topic_info> made) {
               if (made.ok() || made.error().code == ec::topic_exists) return create_topic(index + 1);
               in.after(100 * millisecond, [this, index] { create_topic(index); });
             }));
}

// -- work ---

void clients::add_writer(const std::string& name, const std::vector<std::string>& topics, bool idempotent,
                         std::map<std::string, std::string> settings) {
  if (!idempotent) settings["enable.idempotence"] = "false";
  auto& in = add(name, std::move(settings));
  writer_options options;
  options.topics = topics;
  options.idempotent = idempotent;
  writers_.push_back(std::make_unique<writer>(in, past_, name, options));
  in.connect([w = writers_.back().get()] { w->start(); });
}

void clients::add_reader(const std::string& name, const std::vector<std::string>& topics,
                         uint32_t begin_per_mille) {
  auto& in = add(name);
  reader_options options;
  options.topics = topics;
  options.begin_per_mille = begin_per_mille;
  readers_.push_back(std::make_unique<reader>(in, past_, options));
  in.connect([r = readers_.back().get()] { r->start(); });
}

void clients::add_administrator() {
  administrator_options options;
  options.kept = topics_;
  options.churning = churning_;
  options.partitions = what_.partitions;
  options.resizes = what_.resizers > 0;
  options.removes = what_.removers > 0;
  options.come_by_writing = world_.nodes().front().settings().auto_create;
  auto& in = add("administrator");
  administrator_ = std::make_unique<administrator>(in, past_, std::move(options));
  in.connect([a = administrator_.get()] { a->start(); });
}

void clients::work() {
  for (int32_t i = 1; i <= what_.writers; ++i)
    add_writer("writer" + std::to_string(i), topics_, true);
  for (int32_t i = 1; i <= what_.plain_writers; ++i)
    add_writer("plain" + std::to_string(i), topics_, false);
  // Of its own: what waits for a topic that is not there holds the memory of what could be sent.
  if (!churning_.empty())
    add_writer("churner", churning_, true, {{"max.block.ms", "5000"}, {"delivery.timeout.ms", "10000"}});
  for (int32_t i = 1; i <= what_.readers; ++i)
    add_reader("reader" + std::to_string(i), topics_);
  if (!churning_.empty()) add_reader("churn reader", churning_, 50);
  if (what_.administrators > 0) add_administrator();
  foreign_ = std::make_unique<foreign_clients>(world_, past_, topics_, "10.0.2.");
  foreign_->add_writers(what_.kafka_writers);
  foreign_->add_readers(what_.kafka_readers);
  foreign_->add_hostile(what_.hostile);
}

void clients::change_names() {
  if (administrator_) administrator_->change_names();
}

void clients::stop() {
  for (auto& writer : writers_)
    writer->stop();
  if (administrator_) administrator_->stop();
  foreign_->stop();
}

std::optional<std::string> clients::open() const {
  size_t records = foreign_->open();
  for (auto& writer : writers_)
    records += writer->open();
  bool administers = administrator_ && administrator_->open() > 0;
  if (records == 0 && !administers) return std::nullopt;
  return std::to_string(records) + " records still wait for their answer"
         + (administers ? ", and an administrator" : "");
}

void clients::end() {
  foreign_.reset();
  for (auto& process : processes_)
    process->end();
  readers_.clear();
  writers_.clear();
  processes_.clear();
}

// -- the last look ---

void clients::begin_last_look() {
  auto& in = add("last reader");
  reader_options options;
  options.topics = topics_;
  readers_.push_back(std::make_unique<reader>(in, past_, options));
  auto all_read = [this, &in] {
    if (!administrator_) return static_cast<void>(looked_ = true);
    administrator_->look(in, [this] { looked_ = true; });
  };
  in.connect([r = readers_.back().get(), all_read] { r->read_everything(all_read); });
  foreign_ = std::make_unique<foreign_clients>(world_, past_, topics_, "10.0.3.");
  foreign_->add_readers(what_.kafka_readers);
  foreign_->catch_up();
}

std::optional<std::string> clients::unread() const {
  if (!looked_) return "the last reader waits";
  return foreign_->behind();
}

} // namespace pessoa::sim
