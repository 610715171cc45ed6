/* What modem_shim.c (inside the browser) and pty_line.c (one process a serial line) say to each other. */
#ifndef TWOSTEP_LINE_H
#define TWOSTEP_LINE_H

#include <stdint.h>

/* Folder of the rig: `line-N.sock` for the line at /dev/pts/N, `udev-*.sock` for who listens to device events. */
#define RIG_DIR_VARIABLE "TWOSTEP_SERIAL_RIG"

enum asked {
    ASKED_OPEN = 1, /* the first on a connection, which lasts as long as the port is open */
    ASKED_RATE,     /* value: baud */
    ASKED_LINES,    /* nothing changes: only the answer is wanted */
    ASKED_SET,      /* value: TIOCM_ bits that are all there are */
    ASKED_RAISE,    /* value: TIOCM_ bits to add */
    ASKED_DROP,     /* value: TIOCM_ bits to take away */
    ASKED_DRAIN,    /* answered when all bytes are through */
    ASKED_FLUSH,    /* bytes that were not through by now are lost */
};

struct question {
    uint32_t what;
    uint32_t value;
    uint64_t written; /* bytes written to the port since it was opened: those go before the change */
};

struct answer {
    int32_t error;  /* an errno, or 0 */
    uint32_t lines; /* TIOCM_ bits */
};

#endif
