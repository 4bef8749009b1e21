// Gives one process a wall clock of its own. Preloaded, it adds to the wall clock the milliseconds that the file named by
// WALL_CLOCK_OFFSET holds: eight bytes, mapped, so that a step is seen at once. All other clocks stay.
//
// A program may call the C library for the time, or find the kernel's own code for it (the vDSO) in its auxiliary vector.
// That code can't be changed where the kernel seals it; so who asks for the vector is told of a copy.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif
#define VDSO_BYTES_MAX (16 * 4096)

static volatile int64_t *offset_ms;
static Elf64_auxv_t vector[64];
static size_t vector_bytes;

static void fail(const char *what) {
    fprintf(stderr, "wall_clock: ");
    perror(what);
    _exit(99);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t millis = now->tv_sec * 1000 + now->tv_nsec / 1000000 + *offset_ms;
        int64_t rest = (millis % 1000 + 1000) % 1000;
        now->tv_sec = (millis - rest) / 1000;
        now->tv_nsec = rest * 1000000 + now->tv_nsec % 1000000;
    }
    return result;
}

// Lets the symbol's code in this copy of the vDSO jump to ours.
static void redirect(unsigned char *vdso, const char *wanted, void *target) {
    Elf64_Ehdr *elf = (Elf64_Ehdr *)vdso;
    Elf64_Phdr *headers = (Elf64_Phdr *)(vdso + elf->e_phoff);
    Elf64_Dyn *dynamic = NULL;
    for (int i = 0; i < elf->e_phnum; i++)
        if (headers[i].p_type == PT_DYNAMIC) dynamic = (Elf64_Dyn *)(vdso + headers[i].p_offset);
    Elf64_Sym *symbols = NULL;
    const char *names = NULL;
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB) symbols = (Elf64_Sym *)(vdso + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) names = (const char *)(vdso + dynamic->d_un.d_ptr);
    }
    // The first symbol is none; the table of names follows that of symbols.
    for (Elf64_Sym *symbol = symbols + 1; (const char *)symbol < names; symbol++) {
        if (symbol->st_shndx == SHN_UNDEF || strcmp(names + symbol->st_name, wanted)) continue;
        // movabs rax, target; jmp rax
        unsigned char jump[12] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
        memcpy(jump + 2, &target, sizeof target);
        memcpy(vdso + symbol->st_value, jump, sizeof jump);
        return;
    }
    fail("the vDSO has no such symbol");
}

// Answers prctl(PR_GET_AUXV, buffer, length), which the filter keeps from the kernel.
static void answer(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    size_t length = (size_t)registers[REG_RDX];
    memcpy((void *)registers[REG_RSI], vector, length < vector_bytes ? length : vector_bytes);
    registers[REG_RAX] = (greg_t)vector_bytes;
}

static void trap_vector_calls(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSYS, &action, NULL)) fail("no handler");
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_GET_AUXV, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
        fail("no filter of system calls");
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WALL_CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) fail("WALL_CLOCK_OFFSET names no file");
    offset_ms = mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, file, 0);
    if (offset_ms == MAP_FAILED) fail("the offset can't be mapped");
    close(file);

    // Not by prctl: the filter of a parent with this clock would be in the way.
    int auxv = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(auxv, vector, sizeof vector);
    if (length <= 0 || (size_t)length == sizeof vector) fail("the auxiliary vector can't be read");
    close(auxv);
    vector_bytes = (size_t)length;
    Elf64_auxv_t *entry = vector;
    while (entry->a_type != AT_SYSINFO_EHDR && entry->a_type != AT_NULL) entry++;
    if (entry->a_type == AT_NULL) fail("there is no vDSO");
    unsigned char *copy =
        mmap(NULL, VDSO_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) fail("no memory");
    Elf64_Ehdr *vdso = (Elf64_Ehdr *)entry->a_un.a_val;
    memcpy(copy, vdso, vdso->e_shoff + (size_t)vdso->e_shnum * vdso->e_shentsize);
    redirect(copy, "__vdso_clock_gettime", clock_gettime);
    if (mprotect(copy, VDSO_BYTES_MAX, PROT_READ | PROT_EXEC)) fail("the copy can't be executed");
    entry->a_un.a_val = (uintptr_t)copy;
    trap_vector_calls();
}
