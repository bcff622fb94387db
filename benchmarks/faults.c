/* Makes calls fail on purpose: preloaded into a program (LD_PRELOAD), it lets one call on files under a folder
 * fail, as a full or broken disk does, or lets the clock jump. What it does comes from the environment:
 *
 *   FAULT_UNDER   folder; calls on other files are left alone
 *   FAULT_CALL    write, sync, rename, open (for writing), read or clock
 *   FAULT_AT      the first call that fails, counted from 1 over all processes; 0: none, only count
 *   FAULT_LAST    the last one that fails; 0: all from the first on
 *   FAULT_ERRNO   what the call says; for a clock the seconds that it jumps by
 *   FAULT_COUNT   a file of 8 bytes in which calls are counted
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *under = "", *call = "";
static size_t under_length;
static long first, last, number;
static atomic_long *counted;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static long setting(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULT_UNDER"), *which = getenv("FAULT_CALL"), *count = getenv("FAULT_COUNT");
    if (!which || !count) return;
    int fd = open(count, O_RDWR);
    void *room = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (room == MAP_FAILED) return;
    under = folder ? folder : "";
    under_length = strlen(under);
    first = setting("FAULT_AT");
    last = setting("FAULT_LAST");
    number = setting("FAULT_ERRNO");
    call = which;
    counted = room;
}

/* Whether this call is one that fails. */
static int fails(const char *kind) {
    if (!counted || strcmp(kind, call)) return 0;
    long at = atomic_fetch_add(counted, 1) + 1;
    return first && at >= first && (!last || at <= last);
}

static int inside(const char *path) {
    return counted && path && under_length && !strncmp(path, under, under_length);
}

static int inside_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (!counted) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return inside(path);
}

#define FAIL_IF(where, kind) \
    do { \
        if ((where) && fails(kind)) { \
            errno = (int)number; \
            return -1; \
        } \
    } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (!strcmp(call, "write")) FAIL_IF(inside_fd(fd), "write");
    return real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (!strcmp(call, "write")) FAIL_IF(inside_fd(fd), "write");
    return real(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    if (!strcmp(call, "write")) FAIL_IF(inside_fd(fd), "write");
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    if (!strcmp(call, "write")) FAIL_IF(inside_fd(fd), "write");
    return real(fd, data, size, at);
}

ssize_t read(int fd, void *data, size_t size) {
    REAL(read);
    if (!strcmp(call, "read")) FAIL_IF(inside_fd(fd), "read");
    return real(fd, data, size);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    REAL(pread64);
    if (!strcmp(call, "read")) FAIL_IF(inside_fd(fd), "read");
    return real(fd, data, size, at);
}

int fsync(int fd) {
    REAL(fsync);
    if (!strcmp(call, "sync")) FAIL_IF(inside_fd(fd), "sync");
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    if (!strcmp(call, "sync")) FAIL_IF(inside_fd(fd), "sync");
    return real(fd);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (!strcmp(call, "rename")) FAIL_IF(inside(to), "rename");
    return real(from, to);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    REAL(renameat);
    if (!strcmp(call, "rename")) FAIL_IF(inside(to), "rename");
    return real(from_at, from, to_at, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (!strcmp(call, "open")) FAIL_IF(inside(path), "open");
    return real(path, mode);
}

#define OPENED(name, ...) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = (mode_t)va_arg(rest, int); \
        va_end(rest); \
    } \
    REAL(name); \
    if (!strcmp(call, "open") && flags & (O_WRONLY | O_RDWR | O_CREAT)) FAIL_IF(inside(path), "open"); \
    return real(__VA_ARGS__, flags, mode)

int open(const char *path, int flags, ...) { OPENED(open, path); }
int open64(const char *path, int flags, ...) { OPENED(open64, path); }
int openat(int at, const char *path, int flags, ...) { OPENED(openat, at, path); }
int openat64(int at, const char *path, int flags, ...) { OPENED(openat64, at, path); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME && counted && !strcmp(call, "clock") && fails("clock")) now->tv_sec += number;
    return result;
}
