/*
 * old_kernel.c - runs a program as on a kernel without some system calls: futex_waitv and renameat2
 * fail with ENOSYS, and open with O_TMPFILE fails with EISDIR.
 *
 *     old_kernel PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(member, half) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, member) + (half))
#define UNLESS_EQUAL(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (skip))
#define FAIL(error)               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

/* The low half of a 64-bit argument. */
#define LOW_HALF (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)

static struct sock_filter filter[] = {
    LOAD(nr, 0),
    UNLESS_EQUAL(SYS_futex_waitv, 1),
    FAIL(ENOSYS),
    UNLESS_EQUAL(SYS_renameat2, 1),
    FAIL(ENOSYS),
    UNLESS_EQUAL(SYS_openat, 4),
    LOAD(args[2], LOW_HALF),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, O_TMPFILE & ~O_DIRECTORY),
    UNLESS_EQUAL(O_TMPFILE & ~O_DIRECTORY, 1),
    FAIL(EISDIR),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

int main(int argc, char **argv)
{
    const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (argc < 2) {
        fprintf(stderr, "usage: old_kernel PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("seccomp");
        return 77;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 1;
}
