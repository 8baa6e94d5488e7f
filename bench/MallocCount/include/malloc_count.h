// Preloaded into a server (LD_PRELOAD), never linked: nothing to declare. See malloc_count.c.
#ifndef BENCH_MALLOC_COUNT_H
#define BENCH_MALLOC_COUNT_H
#endif
