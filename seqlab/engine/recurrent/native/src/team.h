// Threads that step together. They are torch's: its OpenMP runtime is handed over, and no other is loaded.
#pragma once

#include <atomic>
#include <cstdint>

extern "C" int sched_yield();

// The entry points of an OpenMP runtime that is in the process already; null where there is none.
struct Runtime {
  void (*parallel)(void (*work)(void*), void* data, unsigned threads, unsigned flags);
  int (*thread)();
  int (*threads)();
};

// Waits until all of a group have come; steps are short, so it spins first.
class Barrier {
 public:
  void wait(int group, int& seen) {
    if (group == 1) return;
    seen += group;
    arrived.fetch_add(1, std::memory_order_acq_rel);
    for (int spins = 0; arrived.load(std::memory_order_acquire) < seen; spins++)
      if (spins > 4000) sched_yield();
  }

 private:
  alignas(64) std::atomic<int> arrived{0};
};

// A thread's share of a pass: all of it, a direction of it, or some units of a direction.
struct Share {
  int slice, slices;
  int64_t first(int64_t blocks) const { return blocks * slice / slices; }
  int64_t last(int64_t blocks) const { return blocks * (slice + 1) / slices; }
};
