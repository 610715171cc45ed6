/*
 * One serial line, for one stay of a board on the bus: holds the master of a pseudo-terminal.
 *
 *     pty_line FOLDER
 *
 * Frames on stdin and stdout: u32 length (little endian), u8 kind, that many bytes.
 *   out  P  path of the slave; the first frame
 *        D  bytes that the browser wrote
 *        E  JSON: {"event":"open"}, {"event":"close"}, {"event":"modem","dtr":…,"rts":…}, {"event":"baud","baud":…},
 *           in order with the bytes
 *   in   D  bytes of the board; lost while the port is not open
 *        U  a device event in the kernel's form, passed to every browser of the rig
 *        H  hangs up: whoever has the port open loses it
 * It ends with its stdin. The lines behave as those of Linux drivers: both rise at the opening and drop at the close.
 */
#define _GNU_SOURCE
#include "line.h"
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FRAME_HEAD 5
#define LONGEST_FRAME 0x10000
#define QUEUE_LIMIT 0x20000 /* no more is taken from stdin then */
#define LATE_MS 100         /* what the kernel still passes on from slave to master comes within that */

static const char *folder;
static char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static int master = -1, listener = -1, opener = -1;
static uint64_t taken; /* bytes taken off the pty since the port was opened */
static uint32_t lines;
static uint8_t *queue;
static size_t queued, room;

static void end(int code)
{
    if (socket_path[0]) unlink(socket_path);
    exit(code);
}

static void check(int failed, const char *what)
{
    if (!failed) return;
    perror(what);
    end(1);
}

static void out(const void *bytes, size_t count)
{
    for (const uint8_t *at = bytes; count > 0;) {
        ssize_t written = write(1, at, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) end(0);
        at += written;
        count -= (size_t)written;
    }
}

static void frame(char kind, const void *bytes, size_t count)
{
    uint8_t head[FRAME_HEAD] = { (uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16), 0, (uint8_t)kind };
    out(head, sizeof head);
    out(bytes, count);
}

static void event(const char *format, ...)
{
    char text[200];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    frame('E', text, (size_t)length);
}

/* Passes on what is there; 0 when nothing is, -1 when nobody has the port open any more. */
static int take(void)
{
    uint8_t bytes[LONGEST_FRAME];
    ssize_t count = read(master, bytes, sizeof bytes);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    taken += (uint64_t)count;
    if (count > 0) frame('D', bytes, (size_t)count);
    return count > 0;
}

/* A pty hands bytes over in the background: waits for those that must be on their way. */
static void take_until(uint64_t written)
{
    struct pollfd waiting = { master, POLLIN, 0 };
    for (int late = 0; taken < written && late < LATE_MS;) {
        int more = take();
        if (more < 0) return;
        if (more == 0) late += poll(&waiting, 1, 1) == 0;
    }
    taken = written; /* bytes that did not come were thrown away by a flush */
}

static void set_lines(uint32_t now)
{
    now &= TIOCM_DTR | TIOCM_RTS;
    if (now == lines) return;
    lines = now;
    event("{\"event\":\"modem\",\"dtr\":%s,\"rts\":%s}", now & TIOCM_DTR ? "true" : "false", now & TIOCM_RTS ? "true" : "false");
}

static void closed(void)
{
    if (opener < 0) return;
    while (master >= 0 && take() > 0) continue;
    close(opener);
    opener = -1;
    queued = 0;
    set_lines(0);
    event("{\"event\":\"close\"}");
}

static void opened(int connection)
{
    opener = connection;
    taken = 0;
    queued = 0;
    ioctl(master, TCFLSH, TCOFLUSH); /* what the board said before was for nobody */
    event("{\"event\":\"open\"}");
    set_lines(TIOCM_DTR | TIOCM_RTS);
}

static void reply(int connection, int error)
{
    struct answer answer = { error, lines };
    send(connection, &answer, sizeof answer, MSG_NOSIGNAL);
}

static void newcomer(void)
{
    struct question question;
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) return;
    if (recv(connection, &question, sizeof question, 0) != sizeof question || question.what != ASKED_OPEN) {
        close(connection);
        return;
    }
    struct pollfd holder = { opener, POLLIN, 0 };
    char byte;
    if (opener >= 0 && poll(&holder, 1, 0) == 1 && recv(opener, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) closed();
    if (master < 0 || opener >= 0) {
        reply(connection, master < 0 ? EIO : EBUSY);
        close(connection);
        return;
    }
    opened(connection);
    reply(connection, 0);
}

static void questioned(void)
{
    struct question question;
    if (recv(opener, &question, sizeof question, 0) != sizeof question) {
        closed();
        return;
    }
    take_until(question.written);
    switch (question.what) {
    case ASKED_RATE: event("{\"event\":\"baud\",\"baud\":%u}", question.value); break;
    case ASKED_SET: set_lines(question.value); break;
    case ASKED_RAISE: set_lines(lines | question.value); break;
    case ASKED_DROP: set_lines(lines & ~question.value); break;
    default: break; /* the answer says it all */
    }
    reply(opener, 0);
}

static void push(void)
{
    size_t gone = 0;
    while (gone < queued) {
        ssize_t written = write(master, queue + gone, queued - gone);
        if (written <= 0) break;
        gone += (size_t)written;
    }
    memmove(queue, queue + gone, queued - gone);
    queued -= gone;
}

static void enqueue(const uint8_t *bytes, size_t count)
{
    if (opener < 0 || master < 0) return;
    if (queued + count > room) {
        room = 2 * (queued + count);
        queue = realloc(queue, room);
        check(!queue, "memory");
    }
    memcpy(queue + queued, bytes, count);
    queued += count;
    push();
}

static void hang_up(void)
{
    if (master < 0) return;
    closed();
    close(master);
    master = -1;
}

static void broadcast(const uint8_t *text, size_t count)
{
    char pattern[sizeof socket_path];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/udev-*.sock", folder);
    if (glob(pattern, 0, NULL, &found)) return;
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(sender < 0, "socket");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct sockaddr_un listens = { .sun_family = AF_UNIX };
        snprintf(listens.sun_path, sizeof listens.sun_path, "%s", found.gl_pathv[i]);
        /* A listener that is gone has left its socket behind. */
        if (sendto(sender, text, count, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&listens, sizeof listens) < 0 &&
            errno == ECONNREFUSED)
            unlink(listens.sun_path);
    }
    close(sender);
    globfree(&found);
}

static void told(void)
{
    static uint8_t bytes[FRAME_HEAD + LONGEST_FRAME];
    static size_t have;
    ssize_t count = read(0, bytes + have, sizeof bytes - have);
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) end(0);
    have += (size_t)count;
    size_t at = 0;
    while (have - at >= FRAME_HEAD) {
        size_t length = bytes[at] | (size_t)bytes[at + 1] << 8 | (size_t)bytes[at + 2] << 16;
        if (length > LONGEST_FRAME) end(2);
        if (have - at < FRAME_HEAD + length) break;
        uint8_t *body = bytes + at + FRAME_HEAD;
        switch (bytes[at + 4]) {
        case 'D': enqueue(body, length); break;
        case 'U': broadcast(body, length); break;
        case 'H': hang_up(); break;
        default: end(2);
        }
        at += FRAME_HEAD + length;
    }
    memmove(bytes, bytes + at, have -= at);
}

static void make_pty(void)
{
    char path[64];
    int number;
    struct termios2 raw;
    struct sockaddr_un place = { .sun_family = AF_UNIX };
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    check(master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, path, sizeof path), "pty");
    check(ioctl(master, TIOCGPTN, &number) || ioctl(master, TCGETS2, &raw), "pty");
    raw.c_iflag = raw.c_oflag = raw.c_lflag = 0; /* nothing is echoed to the board before the browser sets its own mode */
    raw.c_cflag = (raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8 | CREAD | CLOCAL;
    check(ioctl(master, TCSETS2, &raw), "pty");
    snprintf(socket_path, sizeof socket_path, "%s/line-%d.sock", folder, number);
    unlink(socket_path); /* of an earlier pty with this number, if its process was killed */
    memcpy(place.sun_path, socket_path, sizeof socket_path);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    check(listener < 0 || bind(listener, (struct sockaddr *)&place, sizeof place) || listen(listener, 4), "socket");
    frame('P', path, strlen(path));
}

int main(int count, char **arguments)
{
    if (count != 2) return 2;
    folder = arguments[1];
    signal(SIGPIPE, SIG_IGN);
    make_pty();
    for (;;) {
        /* While nobody has the slave open the master reports nothing but that. */
        int watched = opener >= 0 ? master : -1;
        struct pollfd watch[] = {
            { queued < QUEUE_LIMIT ? 0 : -1, POLLIN, 0 },
            { listener, POLLIN, 0 },
            { opener, POLLIN, 0 },
            { watched, (short)(POLLIN | (queued > 0 ? POLLOUT : 0)), 0 },
        };
        if (poll(watch, 4, -1) < 0) {
            check(errno != EINTR, "poll");
            continue;
        }
        if (watch[3].revents & POLLOUT) push();
        if (watch[3].revents & (POLLIN | POLLHUP | POLLERR) && take() < 0) closed();
        if (watch[2].revents && opener >= 0) questioned();
        if (watch[1].revents & POLLIN) newcomer();
        if (watch[0].revents & (POLLIN | POLLHUP)) told();
    }
}
