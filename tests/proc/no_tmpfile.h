/*
 * no_tmpfile.h - makes openat() fail with O_TMPFILE, as on some file systems. The program is linked
 * with --wrap=openat.
 */
#ifndef KYMO_TEST_NO_TMPFILE_H
#define KYMO_TEST_NO_TMPFILE_H

/* Not 0: openat() fails with EOPNOTSUPP on O_TMPFILE. */
extern int no_tmpfile;

#endif
