/* A clock that is ahead, for `make test-later`: preloaded, it adds LATER_SECONDS to the time of day.
 *
 * Files' times move with it, as they are compared with the clock. The monotonic clock, which waits are
 * measured by, does not; a wait until a time of day is turned back before the kernel sees it.
 * For glibc on Linux: cc -shared -fPIC -o later.so tools/later.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t ahead;

__attribute__((constructor)) static void read_seconds(void) {
    const char *given = getenv("LATER_SECONDS");
    ahead = given ? atoll(given) : 0;
}

#define REAL(type, name, ...)                                      \
    static type (*real)(__VA_ARGS__);                              \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* The clock. */

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec time;
    int failed = clock_gettime(CLOCK_REALTIME, &time);
    *now = (struct timeval){time.tv_sec, time.tv_nsec / 1000};
    return failed;
}

time_t time(time_t *kept) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (kept) *kept = now.tv_sec;
    return now.tv_sec;
}

/* Waits until a time of day. */

static struct timespec back(const struct timespec *until) {
    return (struct timespec){until->tv_sec - ahead, until->tv_nsec};
}

static int is_ahead(const struct timespec *until) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return until->tv_sec > now.tv_sec + ahead / 2; /* one of the monotonic clock is far below */
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    REAL(int, "sem_timedwait", sem_t *, const struct timespec *);
    struct timespec time = back(until);
    return real(semaphore, &time);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    REAL(int, "pthread_cond_timedwait", pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec time = is_ahead(until) ? back(until) : *until;
    return real(condition, mutex, &time);
}

/* Files' times. */

static int moved(int failed, struct stat *status) {
    if (failed) return failed;
    status->st_mtim.tv_sec += ahead;
    status->st_atim.tv_sec += ahead;
    status->st_ctim.tv_sec += ahead;
    return 0;
}

int fstatat(int folder, const char *restrict path, struct stat *restrict status, int flags) {
    return moved(syscall(SYS_newfstatat, folder, path, status, flags), status);
}

int stat(const char *restrict path, struct stat *restrict status) {
    return fstatat(AT_FDCWD, path, status, 0);
}

int lstat(const char *restrict path, struct stat *restrict status) {
    return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int fstat(int file, struct stat *status) { return moved(syscall(SYS_fstat, file, status), status); }

/* The same under the names of older and of large files; x86-64 and arm64 have one layout. */
int stat64() __attribute__((alias("stat")));
int lstat64() __attribute__((alias("lstat")));
int fstat64() __attribute__((alias("fstat")));
int fstatat64() __attribute__((alias("fstatat")));

static int set_times(int folder, const char *path, const struct timespec *times, int flags) {
    struct timespec turned[2];
    if (times) {
        for (int each = 0; each < 2; each++) {
            turned[each] = times[each];
            if (times[each].tv_nsec != UTIME_NOW && times[each].tv_nsec != UTIME_OMIT)
                turned[each].tv_sec -= ahead;
        }
    }
    return syscall(SYS_utimensat, folder, path, times ? turned : NULL, flags);
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags) {
    return set_times(folder, path, times, flags);
}

int futimens(int file, const struct timespec times[2]) { return set_times(file, NULL, times, 0); }
