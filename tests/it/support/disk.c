/* Loaded into the server by LD_PRELOAD, in tests only. It knows the files below DISK_ROOT and does two things:
 *
 * - With DISK_LOG it writes down, in order, everything that the server does to them, so that a test can tell what a
 *   disk may hold after the power went at any moment.
 * - With DISK_FAULTS it reads that file at each call. A line `OP PART WHAT` makes OP (write, create, sync) on paths
 *   that contain PART fail with WHAT (ENOSPC, EIO, EROFS), or take WHAT milliseconds longer.
 *
 * One lock is held across each call and its line in the log: the order of the log is the order of effect.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *faults;
static int log_fd = -1;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("DISK_LOG");
  root = getenv("DISK_ROOT");
  faults = getenv("DISK_FAULTS");
  if (path) log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* SQLite's shared memory is no file to it: it makes it anew after a crash. */
static int ours(const char *path) {
  size_t n = strlen(path);
  return root && !strncmp(path, root, strlen(root)) && !(n > 4 && !strcmp(path + n - 4, "-shm"));
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, PATH_MAX - 1);
  path[n < 0 ? 0 : n] = 0;
  return n > 0 && ours(path);
}

/* The error that this call has to end with; 0 for none. */
static int fault(const char *op, const char *path) {
  char text[4096], *line, *rest = text;
  if (!faults) return 0;
  int fd = syscall(SYS_openat, AT_FDCWD, faults, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  text[n < 0 ? 0 : n] = 0;
  while ((line = strsep(&rest, "\n"))) {
    char which[16], part[256], what[16];
    if (sscanf(line, "%15s %255s %15s", which, part, what) != 3) continue;
    if (strcmp(which, op) || !strstr(path, part)) continue;
    if (!strcmp(what, "ENOSPC")) return ENOSPC;
    if (!strcmp(what, "EIO")) return EIO;
    if (!strcmp(what, "EROFS")) return EROFS;
    long ms = atol(what);
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
  }
  return 0;
}

/* `OP inode offset length path\n`, then so many bytes. */
static void note(char op, ino_t inode, long a, const char *path, const void *bytes, size_t length) {
  char head[2 * PATH_MAX];
  if (log_fd < 0) return;
  int n = snprintf(head, sizeof head, "%c %lu %ld %zu %s\n", op, (unsigned long)inode, a, length, path);
  struct iovec parts[2] = {{head, n}, {(void *)bytes, length}};
  if (syscall(SYS_writev, log_fd, parts, length ? 2 : 1) != (long)(n + length)) abort();
}

static ino_t inode_of(int fd) {
  struct stat about;
  return fstat(fd, &about) ? 0 : about.st_ino;
}

#define FAIL(code) do { pthread_mutex_unlock(&lock); errno = (code); return -1; } while (0)
#define DONE(value) do { int e = errno; pthread_mutex_unlock(&lock); errno = e; return (value); } while (0)

static int opened(int at, const char *given, int flags, mode_t mode) {
  char path[PATH_MAX];
  struct stat about;
  int made = 0;
  /* The server names its files by absolute paths, or relative to where it was started. */
  if (given[0] == '/') snprintf(path, sizeof path, "%s", given);
  else if (!getcwd(path, sizeof path) || strlen(path) + strlen(given) + 2 > sizeof path) path[0] = 0;
  else { strcat(path, "/"); strcat(path, given); }
  if (!(flags & O_CREAT) || !ours(path)) return syscall(SYS_openat, at, given, flags, mode);
  pthread_mutex_lock(&lock);
  made = stat(path, &about) != 0;
  int error = made ? fault("create", path) : 0;
  if (error) FAIL(error);
  int fd = syscall(SYS_openat, at, given, flags, mode);
  if (fd >= 0 && made) note('C', inode_of(fd), 0, path, NULL, 0);
  else if (fd >= 0 && flags & O_TRUNC) note('T', inode_of(fd), 0, path, NULL, 0);
  DONE(fd);
}

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list args; va_start(args, flags); mode = va_arg(args, int); va_end(args); }
int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE return opened(at, path, flags | O_LARGEFILE, mode); }

static ssize_t written(int fd, const void *bytes, size_t length, off_t at, int placed) {
  char path[PATH_MAX];
  if (!path_of(fd, path))
    return placed ? syscall(SYS_pwrite64, fd, bytes, length, at) : syscall(SYS_write, fd, bytes, length);
  pthread_mutex_lock(&lock);
  int error = fault("write", path);
  if (error) FAIL(error);
  struct stat about;
  if (!placed) at = fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &about) ? about.st_size : lseek(fd, 0, SEEK_CUR);
  ssize_t n = placed ? syscall(SYS_pwrite64, fd, bytes, length, at) : syscall(SYS_write, fd, bytes, length);
  if (n > 0) note('W', inode_of(fd), at, path, bytes, n);
  DONE(n);
}

ssize_t write(int fd, const void *bytes, size_t length) { return written(fd, bytes, length, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return written(fd, bytes, length, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return written(fd, bytes, length, at, 1); }

static int cut(int fd, off_t length) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return syscall(SYS_ftruncate, fd, length);
  pthread_mutex_lock(&lock);
  int error = fault("write", path);
  if (error) FAIL(error);
  int done = syscall(SYS_ftruncate, fd, length);
  if (!done) note('T', inode_of(fd), length, path, NULL, 0);
  DONE(done);
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int synced(int fd) {
  char path[PATH_MAX];
  struct stat about;
  /* The log is about what the server asked for; the test's own disk need not be made to wait. */
  if (!path_of(fd, path)) return syscall(SYS_fsync, fd);
  int error = fault("sync", path);
  pthread_mutex_lock(&lock);
  if (error) FAIL(error);
  if (!fstat(fd, &about)) note(S_ISDIR(about.st_mode) ? 'D' : 'S', about.st_ino, 0, path, NULL, 0);
  DONE(0);
}

int fsync(int fd) { return synced(fd); }
int fdatasync(int fd) { return synced(fd); }

int rename(const char *from, const char *to) {
  char both[2 * PATH_MAX];
  if (!ours(to)) return syscall(SYS_rename, from, to);
  pthread_mutex_lock(&lock);
  int error = fault("create", to);
  if (error) FAIL(error);
  int done = syscall(SYS_rename, from, to);
  snprintf(both, sizeof both, "%s %s", from, to);
  if (!done) note('R', 0, 0, both, NULL, 0);
  DONE(done);
}

int unlink(const char *path) {
  if (!ours(path)) return syscall(SYS_unlink, path);
  pthread_mutex_lock(&lock);
  int error = fault("remove", path);
  if (error) FAIL(error);
  int done = syscall(SYS_unlink, path);
  if (!done) note('U', 0, 0, path, NULL, 0);
  DONE(done);
}

int mkdir(const char *path, mode_t mode) {
  if (!ours(path)) return syscall(SYS_mkdir, path, mode);
  pthread_mutex_lock(&lock);
  int error = fault("create", path);
  if (error) FAIL(error);
  int done = syscall(SYS_mkdir, path, mode);
  if (!done) note('M', 0, 0, path, NULL, 0);
  DONE(done);
}
