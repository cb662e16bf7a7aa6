/* The soak's helper, without C library or loader. Its first argument says what it does:
 * a number: exit with that code; `s`: sleep until a signal comes; `f`: write 256 KiB, then exit 0; none of these: exit 0. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall body\n");
enum { WRITE = 1, EXIT = 60, PPOLL = 271 };
static long call(long number, long a, long b, long c)
{
	long result;
	register long d __asm__("r10") = 0;
	register long e __asm__("r8") = 8;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(d), "r"(e)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl body\n");
enum { WRITE = 64, EXIT = 93, PPOLL = 73 };
static long call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 8;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}
#else
#error "name the system calls of this machine"
#endif

static char block[4096];

__attribute__((used)) void body(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	const char *what = argc > 1 ? argv[1] : "";
	int code = 0;

	if (what[0] == 's')
		for (;;)
			call(PPOLL, 0, 0, 0);
	if (what[0] == 'f')
		for (int i = 0; i < 64; i++)
			call(WRITE, 1 + i % 2, (long)block, sizeof(block));
	for (; *what >= '0' && *what <= '9'; what++)
		code = code * 10 + (*what - '0');
	call(EXIT, code, 0, 0);
	for (;;)
		;
}
