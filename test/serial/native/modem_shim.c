/*
 * Loaded into a browser with LD_PRELOAD: makes a pseudo-terminal behave like a serial port.
 *
 * A pty has no modem lines. For one whose slave is a line of the rig, the calls about lines, rate and emptying go to
 * the process that holds its master (pty_line.c), which answers once all bytes written before have passed: bytes and
 * changes keep their order. A seldom-seen part is the other half: the kernel's device events. libudev listens to them
 * on a netlink socket; here it gets a socket of the rig's own, so plugging needs no rights and disturbs nobody else.
 */
#define _GNU_SOURCE
#include "line.h"
#include <asm/termbits.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST_FDS 4096
#define ANSWER_MS 3000 /* a browser that hangs is worse than one that gets an error */
#define PTY_SLAVE_MAJOR 136
#define UDEV_GROUP 2

/* What is known of a file descriptor of the browser. */
static struct {
    atomic_int line;           /* socket to the line's process + 1; 0 for everything that is no line */
    dev_t device;              /* the slave that it was then */
    _Atomic uint64_t written;
    atomic_bool listens;       /* a socket of ours in the place of a netlink one */
} fds[MOST_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int known(int fd) { return fd >= 0 && fd < MOST_FDS; }
static const char *rig(void) { return getenv(RIG_DIR_VARIABLE); }
static long kernel_ioctl(int fd, unsigned long request, void *argument) { return syscall(SYS_ioctl, fd, request, argument); }

/* --- Modem lines --- */

static void forget(int fd)
{
    int line = atomic_exchange(&fds[fd].line, 0) - 1;
    if (line >= 0) syscall(SYS_close, line);
}

static int ask(int fd, enum asked what, uint32_t value, struct answer *answer)
{
    int line = atomic_load(&fds[fd].line) - 1;
    struct question question = { what, value, atomic_load(&fds[fd].written) };
    struct pollfd waiting = { line, POLLIN, 0 };
    if (send(line, &question, sizeof question, MSG_NOSIGNAL) != sizeof question) return -1;
    if (poll(&waiting, 1, ANSWER_MS) != 1) return -1;
    return recv(line, answer, sizeof *answer, 0) == sizeof *answer ? 0 : -1;
}

/* The browser closes files in a way that cannot be seen from here: who holds this line and is something else by now? */
static void forget_closed(dev_t device)
{
    for (int fd = 0; fd < MOST_FDS; fd++) {
        struct stat now;
        if (!atomic_load(&fds[fd].line) || fds[fd].device != device) continue;
        if (fstat(fd, &now) || !S_ISCHR(now.st_mode) || now.st_rdev != device) forget(fd);
    }
}

/* 1: a line of the rig, and its process knows that it is open. 0: something else. -1: refused, with errno. */
static int is_line(int fd, unsigned long request)
{
    struct stat now;
    struct answer answer;
    struct sockaddr_un place = { .sun_family = AF_UNIX };
    if (!rig() || !known(fd)) return 0;
    if (fstat(fd, &now) || !S_ISCHR(now.st_mode) || major(now.st_rdev) != PTY_SLAVE_MAJOR) {
        forget(fd);
        return 0;
    }
    if (atomic_load(&fds[fd].line)) {
        struct pollfd peer = { atomic_load(&fds[fd].line) - 1, POLLIN, 0 };
        /* Exclusive use is asked for once, straight after opening: what was known is of an earlier file then. */
        if (fds[fd].device == now.st_rdev && request != TIOCEXCL && poll(&peer, 1, 0) == 0) return 1;
        forget(fd);
    }
    forget_closed(now.st_rdev);
    snprintf(place.sun_path, sizeof place.sun_path, "%s/line-%u.sock", rig(), minor(now.st_rdev));
    int line = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (line < 0) return 0;
    if (connect(line, (struct sockaddr *)&place, sizeof place)) {
        syscall(SYS_close, line);
        return 0;
    }
    fds[fd].device = now.st_rdev;
    atomic_store(&fds[fd].written, 0);
    atomic_store(&fds[fd].line, line + 1);
    if (ask(fd, ASKED_OPEN, 0, &answer)) answer.error = EIO;
    if (!answer.error) return 1;
    forget(fd);
    errno = answer.error;
    return -1;
}

static long line_ioctl(int fd, unsigned long request, void *argument)
{
    struct answer answer = { 0, 0 };
    struct termios2 settings;
    long result = 0;
    int failed = 0;
    switch (request) {
    case TIOCMGET:
        failed = ask(fd, ASKED_LINES, 0, &answer);
        if (!failed) *(int *)argument = (int)answer.lines;
        break;
    case TIOCMSET: failed = ask(fd, ASKED_SET, *(uint32_t *)argument, &answer); break;
    case TIOCMBIS: failed = ask(fd, ASKED_RAISE, *(uint32_t *)argument, &answer); break;
    case TIOCMBIC: failed = ask(fd, ASKED_DROP, *(uint32_t *)argument, &answer); break;
    case TCSETS: case TCSETSW: case TCSETSF: case TCSETS2: case TCSETSW2: case TCSETSF2:
        result = kernel_ioctl(fd, request, argument);
        if (!result && !kernel_ioctl(fd, TCGETS2, &settings)) failed = ask(fd, ASKED_RATE, settings.c_ospeed, &answer);
        break;
    case TCSBRK: failed = argument ? ask(fd, ASKED_DRAIN, 0, &answer) : 0; break;
    case TCFLSH:
        result = kernel_ioctl(fd, request, argument);
        failed = ask(fd, ASKED_FLUSH, 0, &answer);
        break;
    default: break; /* exclusive use, breaks: nothing that a board sees */
    }
    if (failed || answer.error) {
        errno = failed ? EIO : answer.error;
        return -1;
    }
    return result;
}

static int concerns_lines(unsigned long request)
{
    switch (request) {
    case TIOCEXCL: case TIOCNXCL: case TIOCMGET: case TIOCMSET: case TIOCMBIS: case TIOCMBIC: case TIOCSBRK: case TIOCCBRK:
    case TCSETS: case TCSETSW: case TCSETSF: case TCSETS2: case TCSETSW2: case TCSETSF2: case TCSBRK: case TCFLSH: return 1;
    default: return 0;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!concerns_lines(request)) return (int)kernel_ioctl(fd, request, argument);
    pthread_mutex_lock(&lock);
    int line = is_line(fd, request);
    long result = line < 0 ? -1 : line ? line_ioctl(fd, request, argument) : kernel_ioctl(fd, request, argument);
    pthread_mutex_unlock(&lock);
    return (int)result;
}

/* The C library's own do not go through ioctl() above. */
int tcdrain(int fd) { return ioctl(fd, TCSBRK, (void *)1); }
int tcflush(int fd, int queue) { return ioctl(fd, TCFLSH, (void *)(intptr_t)queue); }

ssize_t write(int fd, const void *bytes, size_t count)
{
    NEXT(write);
    ssize_t written = next(fd, bytes, count);
    if (written > 0 && known(fd) && atomic_load_explicit(&fds[fd].line, memory_order_relaxed))
        atomic_fetch_add(&fds[fd].written, (uint64_t)written);
    return written;
}

/* --- Device events --- */

int socket(int domain, int type, int protocol)
{
    NEXT(socket);
    if (domain != AF_NETLINK || protocol != NETLINK_KOBJECT_UEVENT || !rig()) return next(domain, type, protocol);
    int fd = next(AF_UNIX, SOCK_DGRAM | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK)), 0);
    if (known(fd)) atomic_store(&fds[fd].listens, 1);
    return fd;
}

/* Whether this is still the socket that socket() above made. */
static int listens(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    if (!known(fd) || !atomic_load_explicit(&fds[fd].listens, memory_order_relaxed)) return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX) return 1;
    atomic_store(&fds[fd].listens, 0);
    return 0;
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    NEXT(bind);
    if (!listens(fd) || address->sa_family != AF_NETLINK) return next(fd, address, size);
    struct sockaddr_un place = { .sun_family = AF_UNIX };
    snprintf(place.sun_path, sizeof place.sun_path, "%s/udev-%d-%d.sock", rig(), (int)getpid(), fd);
    unlink(place.sun_path);
    return next(fd, (struct sockaddr *)&place, sizeof place);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    NEXT(getsockname);
    if (!listens(fd) || *size < sizeof(struct sockaddr_nl)) return next(fd, address, size);
    struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = (uint32_t)getpid(), .nl_groups = UDEV_GROUP };
    memcpy(address, &name, sizeof name);
    *size = sizeof name;
    return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    NEXT(setsockopt);
    /* The filter is for udevd's own message form; the rig sends the kernel's. */
    if (listens(fd) && (level != SOL_SOCKET || name == SO_ATTACH_FILTER || name == SO_DETACH_FILTER)) return 0;
    return next(fd, level, name, value, size);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg);
    void *name = message->msg_name;
    socklen_t room = message->msg_namelen;
    if (!listens(fd) || !name || room < sizeof(struct sockaddr_nl)) return next(fd, message, flags);
    struct sockaddr_un ignored;
    message->msg_name = &ignored;
    message->msg_namelen = sizeof ignored;
    ssize_t received = next(fd, message, flags);
    struct sockaddr_nl sender = { .nl_family = AF_NETLINK, .nl_groups = UDEV_GROUP };
    memcpy(name, &sender, sizeof sender);
    message->msg_name = name;
    message->msg_namelen = sizeof sender;
    return received;
}

/* libudev listens only where udevd runs. */
int access(const char *path, int mode)
{
    NEXT(access);
    return rig() && strcmp(path, "/run/udev/control") == 0 ? 0 : next(path, mode);
}
