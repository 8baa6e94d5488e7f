// System calls that Swift cannot make neatly: fork with settings, macros (CPU_SET, epoll's packed
// struct) and signal-safe clean-up. No measurement is taken here.
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// How many children and temporary files one run may own at a time.
#define BENCH_CHILDREN_MAX 8
#define BENCH_FILES_MAX 32

/// Ends the whole run after `seconds`, and on SIGINT, SIGTERM or exit: kills every child still
/// running and removes every temporary file still there. Raises the limit of open files to at most
/// `open_files_max`.
void bench_guard(unsigned seconds, unsigned open_files_max);

/// Pins the calling process to the cores `first ..< first + count`. 0 or an errno.
int bench_pin(int first, int count);

/// The cores this process may run on: their count, and the first `max` of them in `cores`.
int bench_cores(int32_t *cores, int max);

/// Starts a program. `arguments` are its path and arguments, each ended by a zero byte. Its
/// standard output and error are appended to `output`; it is pinned to `first_core ..< first_core +
/// core_count` (count 0: not pinned) and killed when this process ends. With `preload`, LD_PRELOAD
/// is that and BENCH_MALLOC_FILE is `counter`. The pid or -errno.
pid_t bench_spawn(const char *arguments, size_t bytes, int output, int first_core,
                  int core_count, const char *preload, const char *counter);

/// Waits up to `milliseconds` for a child. 1: ended, its wait status in `status`. 0: still running.
int bench_reap(pid_t pid, int milliseconds, int *status);

/// CPU time (user + system) of a running process, in nanoseconds, or -1.
int64_t bench_cpu_nanoseconds(pid_t pid);

/// A new empty file in TMPDIR (or the system's folder for such files), removed at exit. Its
/// descriptor or -errno; its path in `path`.
int bench_temporary_file(char *path, size_t path_bytes);
/// Removes such a file now.
void bench_remove_file(const char *path);

/// Connects to 127.0.0.1 with Nagle off. `nonblocking` applies after the connect; reads of a
/// blocking socket give up after `timeout_milliseconds`. The descriptor or -errno.
int bench_connect(uint16_t port, int nonblocking, int timeout_milliseconds);

/// Closes with a reset: leaves no TIME_WAIT behind that would use up the ports of the next round.
void bench_reset(int descriptor);

/// epoll: a new one. Its descriptor or -errno.
int bench_epoll(void);
/// epoll: watches `descriptor` for reading under the number `index`. 0 or -errno.
int bench_watch(int epoll, int descriptor, int32_t index);
/// epoll: waits, and fills `ready` with the numbers of those readable. Their count or -errno.
int bench_wait(int epoll, int32_t *ready, int ready_max, int timeout_milliseconds);

/// CLOCK_MONOTONIC in nanoseconds.
int64_t bench_now(void);

#endif
