#pragma once

#include <pthread.h>

namespace drover {

// Names the calling thread, as `top -H`, debuggers and /proc/<pid>/task/<tid>/comm show it. At most 15
// characters: a longer name is not taken.
inline void name_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
}

}  // namespace drover
