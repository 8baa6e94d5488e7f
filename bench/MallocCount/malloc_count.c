// Counts the allocations of the process it is preloaded into.
//
// The count lives in the file named by BENCH_MALLOC_FILE, mapped shared: eight bytes,
// little-endian, readable at any time from outside without disturbing the process. glibc only: the
// real allocator is reached through its __libc_ names, which needs no dlsym (and so no allocation
// at start).

#include "malloc_count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

// Until the file is mapped, and when there is none, the count goes here.
static _Atomic uint64_t unmapped;
static _Atomic uint64_t *_Atomic counter = &unmapped;

__attribute__((constructor)) static void map_counter(void) {
    const char *path = getenv("BENCH_MALLOC_FILE");
    int descriptor = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(uint64_t)) != 0) {
        return;
    }
    void *place =
        mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (place != MAP_FAILED) {
        counter = place;
    }
}

static void count(void) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void *malloc(size_t bytes) {
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
    count();
    return __libc_calloc(number, bytes);
}

void *realloc(void *place, size_t bytes) {
    count();
    return __libc_realloc(place, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    count();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return memalign(alignment, bytes);
}

int posix_memalign(void **place, size_t alignment, size_t bytes) {
    *place = memalign(alignment, bytes);
    return *place == NULL ? ENOMEM : 0;
}
