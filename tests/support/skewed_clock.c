/* Preloaded into a process, lets its wall clock run from SKEWED_CLOCK_AT (seconds since 1970) on; time that has passed is true. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset_seconds(void) {
    static long offset;
    static int is_known;
    if (!is_known) {
        struct timespec now;
        const char *at = getenv("SKEWED_CLOCK_AT");
        syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
        offset = at ? atol(at) - now.tv_sec : 0;
        is_known = 1;
    }
    return offset;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset_seconds();
    return result;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}
