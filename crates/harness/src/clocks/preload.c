/*
 * The clocks of one server. Its processes call these functions in place of
 * those of the C library.
 *
 * CLOCK_FILE names a file with three numbers of 64 bits: how many nanoseconds
 * the wall clock is ahead, how many times as fast as the machine's all clocks
 * run, and where the wall clock stands, in nanoseconds since 1970; 0 lets it
 * run. The first and the last may change at any time. Waits are shorter by
 * the factor. Processes that are forked later share the file and the start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BILLION INT64_C(1000000000)

struct setting
{
    volatile int64_t ahead;
    volatile int64_t rate;
    volatile int64_t stands_at;
};

static const struct setting *setting;
static int64_t start_of_wall_clock, start_of_others;

static int (*libc_epoll_wait)(int, struct epoll_event *, int, int);
static int (*libc_select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
static int (*libc_nanosleep)(const struct timespec *, struct timespec *);

static int64_t machine(clockid_t clock)
{
    struct timespec t;

    syscall(SYS_clock_gettime, clock, &t);
    return t.tv_sec * BILLION + t.tv_nsec;
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("CLOCK_FILE");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = mmap(NULL, sizeof(struct setting), PROT_READ, MAP_SHARED, file, 0);

    if (mapped == MAP_FAILED)
        abort();
    close(file);
    start_of_wall_clock = machine(CLOCK_REALTIME);
    start_of_others = machine(CLOCK_MONOTONIC);
    libc_epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
    libc_select = dlsym(RTLD_NEXT, "select");
    libc_nanosleep = dlsym(RTLD_NEXT, "nanosleep");
    setting = mapped;
}

static int64_t faster(int64_t now, int64_t start)
{
    return start + (now - start) * setting->rate;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int64_t now;

    switch (clock)
    {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE:
            now = machine(clock);
            if (setting)
                now = setting->stands_at ? setting->stands_at
                                         : faster(now, start_of_wall_clock) + setting->ahead;
            break;
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_COARSE:
            now = machine(clock);
            if (setting)
                now = faster(now, start_of_others);
            break;
        default:
            return syscall(SYS_clock_gettime, clock, t);
    }
    t->tv_sec = now / BILLION;
    t->tv_nsec = now % BILLION;
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void) zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *t)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (t)
        *t = now.tv_sec;
    return now.tv_sec;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int millis)
{
    if (millis > 0)
        millis = (millis + setting->rate - 1) / setting->rate;
    return libc_epoll_wait(epoll, events, most, millis);
}

int select(int count, fd_set *in, fd_set *out, fd_set *other, struct timeval *limit)
{
    struct timeval shorter;

    if (limit)
    {
        int64_t micros = (limit->tv_sec * INT64_C(1000000) + limit->tv_usec) / setting->rate;

        shorter.tv_sec = micros / 1000000;
        shorter.tv_usec = micros % 1000000;
    }
    return libc_select(count, in, out, other, limit ? &shorter : NULL);
}

int nanosleep(const struct timespec *length, struct timespec *rest)
{
    int64_t nanos = (length->tv_sec * BILLION + length->tv_nsec) / setting->rate;
    struct timespec shorter = {nanos / BILLION, nanos % BILLION};

    return libc_nanosleep(&shorter, rest);
}
