// Threads that make items ahead of their use, without a say in the order.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace blip3u {

/// A thread that calls `make` again and again and keeps up to `depth` >= 1 items, first in, first out. An exception is
/// thrown by take() in its item's turn and ever after. The thread ends with this object, after the item in hand.
template <class Item>
class Worker {
 public:
  Worker(std::function<Item()> make, std::size_t depth)
      : make_(std::move(make)), depth_(depth), thread_([this] { work(); }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Item take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !items_.empty() || failure_; });
    if (items_.empty()) std::rethrow_exception(failure_);
    Item item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return item;
  }

 private:
  void work() {
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || items_.size() < depth_; });
        if (stop_) return;
      }
      try {
        Item item = make_();
        const std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
      } catch (...) {
        const std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
      }
      changed_.notify_all();
      if (failure_) return;  // written by this thread alone
    }
  }

  std::function<Item()> make_;
  std::size_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace blip3u
