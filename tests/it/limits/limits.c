// Limits one process. Preloaded, it does what PROCESS_LIMITS says, one word after the other:
//   file=BYTES, locked=BYTES, threads=N   soft and hard limits
//   user=N                                becomes this user, as root may
//   without=CALL                          the system call of this number fails with EPERM from then on
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void limit(int resource, unsigned long long most)
{
    struct rlimit both = {most, most};
    if (setrlimit(resource, &both))
        exit(99);
}

static void refuse(unsigned int call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        exit(99);
}

__attribute__((constructor)) static void begin(void)
{
    const char *given = getenv("PROCESS_LIMITS");
    char words[256];
    if (!given)
        return;
    snprintf(words, sizeof words, "%s", given);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        unsigned long long number = strtoull(strchr(word, '=') + 1, NULL, 10);
        if (!strncmp(word, "file=", 5))
            limit(RLIMIT_FSIZE, number);
        else if (!strncmp(word, "locked=", 7))
            limit(RLIMIT_MEMLOCK, number);
        else if (!strncmp(word, "threads=", 8))
            limit(RLIMIT_NPROC, number);
        else if (!strncmp(word, "without=", 8))
            refuse(number);
        else if (setgroups(0, NULL) || setgid(number) || setuid(number))
            exit(99);
    }
}
