/* A load generator for `serving.py` and `serving_overload.py` (see `load.py`, which compiles and runs it).

   load http|grpc PORT CONNECTIONS SCHEDULE PATIENCE REQUESTS OUTPUT [AUTHORITY PATH]

   SCHEDULE is `closed:SECONDS` (each connection asks again once it was answered) or RATE:SECONDS with more
   such after commas: requests become due at that fixed rate, whatever comes back. What finds no connection
   waits here; its time counts from when it was due, so that a slow server cannot make its own figures better
   by holding up who asks (no coordinated omission). Nobody waits for a connection longer than PATIENCE
   seconds. REQUESTS holds what is sent, in turn: each a 32-bit length and so many bytes (HTTP/1.1 as it goes
   over the wire; the framed message of gRPC). OUTPUT: the time of the start (CLOCK_MONOTONIC), the processor
   time used, then a `struct record` for every request. One thread, a wake-up each millisecond. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BROKEN = -1, UNANSWERED = -2, BUFFER = 1 << 16, STREAMS = 1 << 20 };

struct record {
    double due;          /* seconds since the start */
    float sent, took;    /* seconds after it was due; how long until it was answered in full */
    int32_t status;      /* of HTTP or of gRPC; or BROKEN, UNANSWERED */
    int32_t again;       /* how often it was sent anew, as the connection had been closed meanwhile */
};

struct message { char *bytes; uint32_t size; };

struct connection {
    int fd, connecting, used;    /* used: it has answered a request before */
    long record;                 /* the request under way (HTTP), or -1 */
    int streams;                 /* requests under way (gRPC) */
    int broken, dirty;
    char *in, *out;
    size_t got, sent, size;      /* bytes of the answer so far; of `out` that are sent, and that there are */
    size_t room;
    nghttp2_session *session;
};

struct stream { long record; struct message *message; uint32_t offset; int status; };

static struct record *records;
static long count, capacity, *backlog, head, tail, backlog_room, under_way;
static struct message *messages;
static long message_count;
static struct connection *connections;
static int connection_count, closed_loop, is_grpc, poller, *idle, idle_count, *unused, unused_count, next_one;
static double start, closing, patience;
static struct sockaddr_in server;
static const char *authority = "", *path = "";

static void fail(const char *what) { perror(what); exit(1); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *grown(void *old, size_t size) {
    void *new = realloc(old, size);
    if (!new) fail("memory");
    return new;
}

static long new_record(double due) {
    if (count == capacity) {
        capacity = capacity ? 2 * capacity : 65536;
        records = grown(records, (size_t)capacity * sizeof *records);
    }
    records[count] = (struct record){due, -1, -1, UNANSWERED, 0};
    return count++;
}

static void wait_for_turn(long record) {
    if (tail == backlog_room) {
        backlog_room = backlog_room ? 2 * backlog_room : 65536;
        backlog = grown(backlog, (size_t)backlog_room * sizeof *backlog);
    }
    backlog[tail++] = record;
}

static void settle(long record, int status) {
    records[record].status = status;
    records[record].took = (float)(now() - start - records[record].due);
    under_way--;
}

static void watch(struct connection *one, int what) {
    struct epoll_event event = {.events = (uint32_t)(EPOLLIN | what), .data.ptr = one};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, one->fd, &event) < 0) fail("epoll");
}

static void open_one(struct connection *one) {
    int yes = 1;
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (one->fd < 0) fail("socket");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(one->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
        fail("connect");
    one->connecting = 1, one->used = one->broken = 0, one->record = -1;
    one->got = one->sent = one->size = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = one};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, one->fd, &event) < 0) fail("epoll");
}

/* -- HTTP/1.1 -------------------------------------------------------------------------------------------- */

static void shut(struct connection *one) {
    close(one->fd);
    one->fd = -1;
    unused[unused_count++] = (int)(one - connections);
}

/* The connection ended while it was asked: where it had been idle, any client asks again on another one. */
static void lost(struct connection *one) {
    long record = one->record;
    int stale = one->used && !one->got;
    one->record = -1;
    for (int i = 0; record < 0 && i < idle_count; i++)
        if (idle[i] == one - connections) { idle[i] = idle[--idle_count]; break; }
    shut(one);
    if (record < 0) return;
    if (stale && records[record].again++ == 0) { under_way--; wait_for_turn(record); }
    else settle(record, BROKEN);
}

static void push(struct connection *one) {
    struct message *message = &messages[one->record % message_count];
    while (one->sent < message->size) {
        size_t left = message->size - one->sent;
        ssize_t wrote = send(one->fd, message->bytes + one->sent, left, MSG_NOSIGNAL);
        if (wrote < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) { watch(one, EPOLLOUT); return; }
        if (wrote < 0) { lost(one); return; }
        one->sent += (size_t)wrote;
    }
}

static const char *header(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

static void pull(struct connection *one) {
    if (one->room - one->got < BUFFER) one->in = grown(one->in, one->room = one->got + 2 * BUFFER);
    ssize_t read = recv(one->fd, one->in + one->got, one->room - one->got - 1, 0);
    if (read < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (read <= 0) { lost(one); return; }
    one->got += (size_t)read;
    one->in[one->got] = 0;
    char *end = strstr(one->in, "\r\n\r\n");
    if (!end || one->record < 0) return;
    *end = 0;
    const char *said = header(one->in, "\r\ncontent-length:");
    const char *after = header(one->in, "\r\nconnection: close");
    int status = atoi(one->in + 9);
    if (!said) { fprintf(stderr, "an answer without Content-Length: %s\n", one->in); exit(1); }
    size_t size = (size_t)(end - one->in) + 4 + strtoul(said, NULL, 10);
    *end = '\r';
    if (one->got < size) return;
    settle(one->record, status);
    one->record = -1, one->got = one->sent = 0, one->used = 1;
    if (after) shut(one); else idle[idle_count++] = (int)(one - connections);
}

static int send_http(long record) {
    struct connection *one;
    if (idle_count) one = &connections[idle[--idle_count]];
    else if (unused_count) open_one(one = &connections[unused[--unused_count]]);
    else return 0;
    one->record = record, one->sent = one->got = 0;
    under_way++;
    records[record].sent = (float)(now() - start - records[record].due);
    if (!one->connecting) push(one);
    return 1;
}

/* -- gRPC ------------------------------------------------------------------------------------------------ */

static ssize_t read_message(nghttp2_session *session, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
                            nghttp2_data_source *source, void *data) {
    struct stream *stream = source->ptr;
    size_t left = stream->message->size - stream->offset, part = left < room ? left : room;
    (void)session, (void)id, (void)data;
    memcpy(into, stream->message->bytes + stream->offset, part);
    stream->offset += (uint32_t)part;
    if (part == left) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)part;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t size,
                     const uint8_t *value, size_t length, uint8_t flags, void *data) {
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)length, (void)flags, (void)data;
    if (stream && size == 11 && !memcmp(name, "grpc-status", 11)) stream->status = atoi((const char *)value);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *data) {
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)code;
    if (!stream) return 0;
    settle(stream->record, stream->status);
    ((struct connection *)data)->streams--;
    free(stream);
    return 0;
}

static void open_session(struct connection *one) {
    nghttp2_session_callbacks *calls;
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    nghttp2_session_client_new(&one->session, calls, one);
    nghttp2_session_callbacks_del(calls);
    nghttp2_submit_settings(one->session, NGHTTP2_FLAG_NONE, &window, 1);
    nghttp2_session_set_local_window_size(one->session, NGHTTP2_FLAG_NONE, 0, 1 << 24);
    open_one(one);
    one->streams = 0, one->dirty = 1;
}

/* The requests of a broken connection stay without an answer. */
static void end_session(struct connection *one) {
    under_way -= one->streams;
    nghttp2_session_del(one->session); /* tells of no stream that it closes */
    one->session = NULL;
    close(one->fd);
    one->fd = -1;
}

static void flush(struct connection *one) {
    const uint8_t *part;
    one->dirty = 0;
    if (one->connecting || !one->session) return;
    for (;;) {
        if (one->sent == one->size) {
            one->sent = one->size = 0;
            ssize_t size;
            while (one->size < BUFFER && (size = nghttp2_session_mem_send(one->session, &part)) > 0) {
                if (one->size + (size_t)size > one->room)
                    one->out = grown(one->out, one->room = one->size + (size_t)size + BUFFER);
                memcpy(one->out + one->size, part, (size_t)size);
                one->size += (size_t)size;
            }
            if (!one->size) return;
        }
        ssize_t wrote = send(one->fd, one->out + one->sent, one->size - one->sent, MSG_NOSIGNAL);
        if (wrote < 0) {
            if (errno == EAGAIN) watch(one, EPOLLOUT); else one->broken = 1;
            return;
        }
        one->sent += (size_t)wrote;
    }
}

static void receive(struct connection *one) {
    static uint8_t bytes[4 * BUFFER];
    ssize_t read = recv(one->fd, bytes, sizeof bytes, 0);
    if (read < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (read <= 0 || nghttp2_session_mem_recv(one->session, bytes, (size_t)read) < 0) one->broken = 1;
    else one->dirty = 1;
}

#define PAIR(name, value) \
    {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, strlen(value), NGHTTP2_NV_FLAG_NONE}

static int send_grpc(long record) {
    struct connection *one = NULL;
    int most = closed_loop ? 1 : STREAMS;
    for (int i = 0; i < connection_count && !one; i++) {
        struct connection *next = &connections[next_one++ % connection_count];
        if (next->fd >= 0 && !next->broken && next->streams < most) one = next;
    }
    if (!one) return 0;
    nghttp2_nv headers[] = {
        PAIR(":method", "POST"), PAIR(":scheme", "http"), PAIR(":path", path), PAIR(":authority", authority),
        PAIR("te", "trailers"), PAIR("content-type", "application/grpc"),
    };
    struct stream *stream = grown(NULL, sizeof *stream);
    *stream = (struct stream){record, &messages[record % message_count], 0, BROKEN};
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_message};
    if (nghttp2_submit_request(one->session, NULL, headers, 6, &provider, stream) < 0) {
        one->broken = 1;
        free(stream);
        return 0;
    }
    one->streams++, one->dirty = 1;
    under_way++;
    records[record].sent = (float)(now() - start - records[record].due);
    return 1;
}

/* -- both ------------------------------------------------------------------------------------------------ */

static void act(struct connection *one, uint32_t events) {
    if (one->fd < 0) return;
    if (one->connecting && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) { if (is_grpc) one->broken = 1; else lost(one); return; }
        one->connecting = 0;
        watch(one, 0);
        if (is_grpc) one->dirty = 1; else if (one->record >= 0) push(one);
        return;
    }
    if (events & EPOLLOUT) {
        watch(one, 0);
        if (is_grpc) one->dirty = 1; else if (one->record >= 0) push(one);
    }
    if (one->fd < 0 || !(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    if (is_grpc) receive(one); else pull(one);
}

static void dispatch(void) {
    double time = now() - start;
    while (head < tail) {
        long record = backlog[head];
        if (time - records[record].due > patience) { /* its caller has given up */
            records[record].took = (float)(time - records[record].due);
            head++;
            continue;
        }
        if (!(is_grpc ? send_grpc(record) : send_http(record))) return;
        head++;
    }
    if (!closed_loop) return;
    while (now() - start < closing) {
        int free = is_grpc ? (int)under_way < connection_count : idle_count + unused_count;
        if (!free) return;
        long record = new_record(now() - start);
        if (!(is_grpc ? send_grpc(record) : send_http(record))) { count--; return; }
    }
}

static void read_messages(const char *file) {
    FILE *from = fopen(file, "rb");
    uint32_t size;
    if (!from) fail(file);
    while (fread(&size, sizeof size, 1, from) == 1) {
        messages = grown(messages, (size_t)(message_count + 1) * sizeof *messages);
        messages[message_count] = (struct message){grown(NULL, size), size};
        if (fread(messages[message_count++].bytes, 1, size, from) != size) fail(file);
    }
    fclose(from);
    if (!message_count) { fprintf(stderr, "%s: no requests\n", file); exit(1); }
}

static void loop(const char *schedule) {
    struct epoll_event events[512];
    double due = 0, rate = 0, until = 0;
    const char *rest = schedule;
    for (;;) {
        double time = now() - start;
        while (!closed_loop && (due >= until || rate == 0)) { /* the next stretch of the schedule */
            char *end;
            if (!*rest) { rate = 0; break; }
            due = until, rate = strtod(rest, &end), until += strtod(end + 1, &end);
            rest = *end == ',' ? end + 1 : end;
            closing = until;
        }
        for (; rate > 0 && due <= time && due < until; due += 1 / rate) wait_for_turn(new_record(due));
        dispatch();
        if (is_grpc)
            for (int i = 0; i < connection_count; i++) {
                struct connection *one = &connections[i];
                if (one->dirty) flush(one);
                if (one->broken) { end_session(one); open_session(one); }
            }
        int over = time >= closing && (closed_loop || !*rest) && rate * (until - due) <= 0;
        if (over && ((!under_way && head == tail) || time > closing + patience)) return;
        int ready = epoll_wait(poller, events, 512, 1);
        for (int i = 0; i < ready; i++) act(events[i].data.ptr, events[i].events);
    }
}

int main(int argc, char **argv) {
    if (argc < 8) { fprintf(stderr, "see the head of load.c\n"); return 2; }
    is_grpc = !strcmp(argv[1], "grpc"), connection_count = atoi(argv[3]), patience = atof(argv[5]);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
    if (argc > 9) authority = argv[8], path = argv[9];
    closed_loop = !strncmp(argv[4], "closed:", 7);
    if (closed_loop) closing = atof(argv[4] + 7);
    read_messages(argv[6]);
    poller = epoll_create1(0);
    connections = calloc((size_t)connection_count, sizeof *connections);
    idle = calloc((size_t)connection_count, sizeof *idle);
    unused = calloc((size_t)connection_count, sizeof *unused);
    if (!connections || !idle || !unused) fail("memory");
    for (int i = connection_count; i-- > 0;) {
        connections[i].fd = -1, connections[i].record = -1;
        if (is_grpc) open_session(&connections[i]); else unused[unused_count++] = i;
    }
    start = now();
    loop(argv[4]);
    double used, ended = now() - start;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    used = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    used += 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    for (long i = 0; i < count; i++)
        if (records[i].took < 0) records[i].took = (float)(ended - records[i].due);
    FILE *to = fopen(argv[7], "wb");
    if (!to) fail(argv[7]);
    if (fwrite(&start, sizeof start, 1, to) != 1 || fwrite(&used, sizeof used, 1, to) != 1) fail(argv[7]);
    if (fwrite(records, sizeof *records, (size_t)count, to) != (size_t)count || fclose(to)) fail(argv[7]);
    return 0;
}
