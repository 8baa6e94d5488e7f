#define _GNU_SOURCE
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES_MAX 256
#define ARGUMENTS_MAX 64

// Read by signal handlers, so fixed tables and nothing that allocates. 0 and "" are free places.
static volatile pid_t children[BENCH_CHILDREN_MAX];
static char files[BENCH_FILES_MAX][PATH_BYTES_MAX];

// Only async-signal-safe calls: also runs inside a handler.
static void end_everything(void) {
    for (int index = 0; index < BENCH_CHILDREN_MAX; index++) {
        if (children[index] > 0) {
            kill(children[index], SIGKILL);
        }
    }
    for (int index = 0; index < BENCH_FILES_MAX; index++) {
        if (files[index][0] != '\0') {
            unlink(files[index]);
        }
    }
}

static void on_signal(int number) {
    static const char late[] = "bench-load: time limit reached, everything ended\n";
    static const char asked[] = "bench-load: interrupted, everything ended\n";
    ssize_t ignored = number == SIGALRM ? write(2, late, sizeof late - 1)
                                        : write(2, asked, sizeof asked - 1);
    (void)ignored;
    end_everything();
    _exit(number == SIGALRM ? 124 : 128 + number);
}

void bench_guard(unsigned seconds, unsigned open_files_max) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < open_files_max ? limit.rlim_max : open_files_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    atexit(end_everything);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
    alarm(seconds);
}

static void fill(cpu_set_t *set, int first, int count) {
    CPU_ZERO(set);
    for (int core = first; core < first + count && core < CPU_SETSIZE; core++) {
        CPU_SET((size_t)core, set);
    }
}

int bench_pin(int first, int count) {
    cpu_set_t set;
    fill(&set, first, count);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : errno;
}

int bench_cores(int32_t *cores, int max) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 0;
    }
    int count = 0;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET((size_t)core, &set)) {
            if (count < max) {
                cores[count] = core;
            }
            count++;
        }
    }
    return count;
}

static _Noreturn void become(char *const *argv, int output, int first_core, int core_count,
                             const char *preload, const char *counter) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    if (core_count > 0) {
        bench_pin(first_core, core_count);
    }
    dup2(output, 1);
    dup2(output, 2);
    if (preload != NULL) {
        setenv("LD_PRELOAD", preload, 1);
        setenv("BENCH_MALLOC_FILE", counter, 1);
    }
    execv(argv[0], argv);
    dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

pid_t bench_spawn(const char *arguments, size_t bytes, int output, int first_core,
                  int core_count, const char *preload, const char *counter) {
    const char *argv[ARGUMENTS_MAX + 1] = {NULL};
    int count = 0;
    for (size_t start = 0; start < bytes; start += strlen(arguments + start) + 1) {
        if (count == ARGUMENTS_MAX) {
            return -E2BIG;
        }
        argv[count++] = arguments + start;
    }
    if (count == 0 || arguments[bytes - 1] != '\0') {
        return -EINVAL;
    }
    int place = 0;
    while (place < BENCH_CHILDREN_MAX && children[place] != 0) {
        place++;
    }
    if (place == BENCH_CHILDREN_MAX) {
        return -EAGAIN;
    }
    pid_t pid = fork();
    if (pid < 0) {
        return -errno;
    }
    if (pid == 0) {
        become((char *const *)argv, output, first_core, core_count, preload, counter);
    }
    children[place] = pid;
    return pid;
}

int bench_reap(pid_t pid, int milliseconds, int *status) {
    for (int waited = 0;; waited++) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended != 0) {
            for (int index = 0; index < BENCH_CHILDREN_MAX; index++) {
                if (children[index] == pid) {
                    children[index] = 0;
                }
            }
            return 1;
        }
        if (waited >= milliseconds) {
            return 0;
        }
        usleep(1000);
    }
}

int64_t bench_cpu_nanoseconds(pid_t pid) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
        return -1;
    }
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int bench_temporary_file(char *path, size_t path_bytes) {
    const char *folder = getenv("TMPDIR");
    if (folder == NULL || folder[0] == '\0') {
        folder = P_tmpdir;
    }
    int place = 0;
    while (place < BENCH_FILES_MAX && files[place][0] != '\0') {
        place++;
    }
    if (place == BENCH_FILES_MAX) {
        return -EAGAIN;
    }
    char name[PATH_BYTES_MAX];
    int length = snprintf(name, sizeof name, "%s/discovery-bench.XXXXXX", folder);
    if (length < 0 || (size_t)length >= sizeof name || (size_t)length >= path_bytes) {
        return -ENAMETOOLONG;
    }
    int descriptor = mkostemp(name, O_CLOEXEC | O_APPEND);
    if (descriptor < 0) {
        return -errno;
    }
    memcpy(files[place], name, (size_t)length + 1);
    memcpy(path, name, (size_t)length + 1);
    return descriptor;
}

void bench_remove_file(const char *path) {
    for (int index = 0; index < BENCH_FILES_MAX; index++) {
        if (files[index][0] != '\0' && strcmp(files[index], path) == 0) {
            unlink(path);
            files[index][0] = '\0';
        }
    }
}

int bench_connect(uint16_t port, int nonblocking, int timeout_milliseconds) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -errno;
    }
    int one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct timeval limit = {
        timeout_milliseconds / 1000, (timeout_milliseconds % 1000) * 1000};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        int reason = errno;
        close(descriptor);
        return -reason;
    }
    if (nonblocking) {
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    }
    return descriptor;
}

void bench_reset(int descriptor) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(descriptor);
}

int bench_epoll(void) {
    int descriptor = epoll_create1(EPOLL_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int bench_watch(int epoll, int descriptor, int32_t index) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
    event.data.u32 = (uint32_t)index;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

int bench_wait(int epoll, int32_t *ready, int ready_max, int timeout_milliseconds) {
    struct epoll_event events[256];
    int max = ready_max < 256 ? ready_max : 256;
    int count = epoll_wait(epoll, events, max, timeout_milliseconds);
    if (count < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    for (int index = 0; index < count; index++) {
        ready[index] = (int32_t)events[index].data.u32;
    }
    return count;
}

int64_t bench_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
