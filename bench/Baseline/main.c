// The yardstick of every figure: evhttp, one callback, fixed bytes, nothing else.
//
// Plain defaults on purpose: default flags, evhttp_send_reply, one added header. Do not tune it: a
// ratio against a yardstick that moves says nothing.
//
//   bench-baseline --port N [--body-bytes N | --body-file F] [--content-type T] [--hold]
//
// Prints "listening PORT" when ready. With --hold a request to /hold is kept until GET /release
// arrives; then all kept requests are answered, and the release last. GET /held tells how many are
// kept (as the body "{"code":0,"held":N}"), so that a load generator knows when all have arrived.

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// More than the generator may open (20,000 files per process).
#define HELD_COUNT_MAX 20000
#define BODY_BYTES_MAX (64 * 1024 * 1024)

struct yardstick {
    char *body;
    size_t body_bytes;
    const char *content_type;
    int hold;
    struct evhttp_request *held[HELD_COUNT_MAX];
    int held_count;
};

static struct yardstick yardstick = {.content_type = "application/json; charset=utf-8"};

static void answer(struct evhttp_request *request, const void *body, size_t body_bytes) {
    evhttp_add_header(
        evhttp_request_get_output_headers(request), "Content-Type", yardstick.content_type);
    struct evbuffer *buffer = evbuffer_new();
    if (buffer == NULL) {
        abort();
    }
    evbuffer_add(buffer, body, body_bytes);
    evhttp_send_reply(request, HTTP_OK, "OK", buffer);
    evbuffer_free(buffer);
}

// libevent frees the kept request with its connection: forget it first. Linear, but only called
// for clients that leave while they are held.
static void on_close(struct evhttp_connection *connection, void *unused) {
    (void)unused;
    for (int index = 0; index < yardstick.held_count; index++) {
        if (evhttp_request_get_connection(yardstick.held[index]) == connection) {
            yardstick.held[index] = yardstick.held[--yardstick.held_count];
            return;
        }
    }
}

static void hold(struct evhttp_request *request) {
    if (yardstick.held_count == HELD_COUNT_MAX) {
        evhttp_send_error(request, HTTP_SERVUNAVAIL, "too many held requests");
        return;
    }
    yardstick.held[yardstick.held_count++] = request;
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, NULL);
}

static void release(struct evhttp_request *request) {
    for (int index = 0; index < yardstick.held_count; index++) {
        struct evhttp_request *held = yardstick.held[index];
        evhttp_connection_set_closecb(evhttp_request_get_connection(held), NULL, NULL);
        answer(held, yardstick.body, yardstick.body_bytes);
    }
    yardstick.held_count = 0;
    answer(request, yardstick.body, yardstick.body_bytes);
}

static void on_request(struct evhttp_request *request, void *unused) {
    (void)unused;
    if (yardstick.hold) {
        const char *uri = evhttp_request_get_uri(request);
        if (strncmp(uri, "/hold", 5) == 0) {
            hold(request);
            return;
        }
        if (strcmp(uri, "/release") == 0) {
            release(request);
            return;
        }
        if (strcmp(uri, "/held") == 0) {
            char text[64];
            int length =
                snprintf(text, sizeof text, "{\"code\":0,\"held\":%d}", yardstick.held_count);
            answer(request, text, (size_t)length);
            return;
        }
    }
    answer(request, yardstick.body, yardstick.body_bytes);
}

static void on_signal(evutil_socket_t signal, short what, void *base) {
    (void)signal;
    (void)what;
    event_base_loopbreak(base);
}

static void fail(const char *what, const char *which) {
    fprintf(stderr, "bench-baseline: %s %s\n", what, which);
    exit(2);
}

static long number(const char *text, long max) {
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value > max) {
        fail("not a number in range:", text);
    }
    return value;
}

static void make_body(size_t bytes) {
    static const char head[] = "{\"code\":0,\"pad\":\"";
    yardstick.body = malloc(bytes + sizeof head + 2);
    if (yardstick.body == NULL) {
        abort();
    }
    // A valid JSON answer where there is room for one, so that the generator's check passes.
    memset(yardstick.body, 'x', bytes);
    if (bytes >= sizeof head + 1) {
        memcpy(yardstick.body, head, sizeof head - 1);
        memcpy(yardstick.body + bytes - 2, "\"}", 2);
    }
    yardstick.body_bytes = bytes;
}

static void read_body(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail("cannot read", path);
    }
    long bytes = ftell(file);
    if (bytes < 0 || bytes > BODY_BYTES_MAX) {
        fail("body too large:", path);
    }
    rewind(file);
    yardstick.body = malloc((size_t)bytes + 1);
    if (yardstick.body == NULL ||
        fread(yardstick.body, 1, (size_t)bytes, file) != (size_t)bytes) {
        fail("cannot read", path);
    }
    fclose(file);
    yardstick.body_bytes = (size_t)bytes;
}

static long parse_arguments(int argc, char **argv) {
    long port = 0;
    for (int index = 1; index < argc; index++) {
        const char *flag = argv[index];
        if (strcmp(flag, "--hold") == 0) {
            yardstick.hold = 1;
            continue;
        }
        if (index + 1 == argc) {
            fail("unknown flag or missing value:", flag);
        }
        const char *value = argv[++index];
        if (strcmp(flag, "--port") == 0) {
            port = number(value, 65535);
        } else if (strcmp(flag, "--body-bytes") == 0) {
            make_body((size_t)number(value, BODY_BYTES_MAX));
        } else if (strcmp(flag, "--body-file") == 0) {
            read_body(value);
        } else if (strcmp(flag, "--content-type") == 0) {
            yardstick.content_type = value;
        } else {
            fail("unknown flag:", flag);
        }
    }
    if (yardstick.body == NULL) {
        make_body(32);
    }
    return port;
}

int main(int argc, char **argv) {
    long port = parse_arguments(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    struct evhttp *http = base == NULL ? NULL : evhttp_new(base);
    if (http == NULL) {
        fail("cannot start", "libevent");
    }
    evhttp_set_gencb(http, on_request, NULL);
    struct evhttp_bound_socket *bound =
        evhttp_bind_socket_with_handle(http, "127.0.0.1", (ev_uint16_t)port);
    if (bound == NULL) {
        fail("cannot listen on", "127.0.0.1");
    }
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(
            evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length) != 0) {
        fail("cannot tell the port of", "the listener");
    }
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);

    struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
    struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
    event_add(term, NULL);
    event_add(interrupt, NULL);
    event_base_dispatch(base);
    // No tidying up: the process ends here and held requests would only get in the way.
    return 0;
}
