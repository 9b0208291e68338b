#include "schema/seams/seams_posix.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <random>
#include <thread>
#include <vector>

namespace pessoa {

namespace {

class system_clock_posix final : public clock {
public:
  instant now() const override {
    return instant{std::chrono::duration_cast<duration>(std::chrono::steady_clock::now().time_since_epoch())};
  }
  timestamp wall() const override {
    auto since = std::chrono::system_clock::now().time_since_epoch();
    return timestamp{std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
  }
};

class system_random final : public random_source {
public:
  uint64_t next() override {
    std::lock_guard guard{mutex_};
    return (static_cast<uint64_t>(device_()) << 32) | device_();
  }

private:
  std::mutex mutex_;
  std::random_device device_;
};

class thread_pool_posix final : public thread_pool {
public:
  thread_pool_posix(size_t threads, std::string name) {
    PESSOA_ASSERT(threads > 0);
    name.resize(std::min<size_t>(name.size(), 12));
    for (size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this, label = name + "-" + std::to_string(i)] {
        pthread_setname_np(pthread_self(), label.c_str());
        run();
      });
    }
  }
  ~thread_pool_posix() override {
    {
      std::lock_guard guard{mutex_};
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_)
      thread.join();
  }

  void post(std::function<void()> job, std::function<void()> done) override {
    {
      std::lock_guard guard{mutex_};
      jobs_.push_back({std::move(job), std::move(done)});
    }
    wake_.notify_one();
  }

private:
  struct work {
    std::function<void()> job, done;
  };

  void run() {
    for (;;) {
      work next;
      {
        std::unique_lock lock{mutex_};
        wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        next = std::move(jobs_.front());
        jobs_.pop_front();
      }
      next.job();
      if (next.done) next.done();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<work> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

} // namespace

std::unique_ptr<clock> make_system_clock() { return std::make_unique<system_clock_posix>(); }
std::unique_ptr<random_source> make_system_random() { return std::make_unique<system_random>(); }
std::unique_ptr<thread_pool> make_thread_pool(size_t threads, std::string name) {
  return std::make_unique<thread_pool_posix>(threads, std::move(name));
}

} // namespace pessoa
