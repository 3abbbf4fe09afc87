/*
 * no_tmpfile.h - lets openat() refuse O_TMPFILE, as some file systems do. The program is linked with
 * --wrap=openat.
 */
#ifndef KYMO_TEST_NO_TMPFILE_H
#define KYMO_TEST_NO_TMPFILE_H

/* Not 0: openat() fails with EOPNOTSUPP on O_TMPFILE. */
extern int no_tmpfile;

#endif
