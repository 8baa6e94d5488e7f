// Includes only: what Swift can import needs no wrapper. A system library target compiles no C, so
// should a macro ever need one, it is a `static inline` here with its reason above it.
#ifndef CLIBEVENT_SHIM_H
#define CLIBEVENT_SHIM_H

// First, and for its order alone: libevent's event-config.h defines _GNU_SOURCE, and with that,
// glibc names the field of fd_set differently than in the Glibc module. Once features.h has been
// read without it, both agree; otherwise a clean build fails or not, depending on which module is
// read first.
#include <sys/types.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <event2/util.h>
// The Glibc module exports neither: malloc_usable_size for what libevent frees, eventfd to wake
// loops.
#include <malloc.h>
#include <sys/eventfd.h>

#endif
