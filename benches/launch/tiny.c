/* The smallest helper: no C library, no loader, exit 0. */
void _start(void)
{
#if defined(__x86_64__)
	__asm__ volatile("syscall" ::"a"(60), "D"(0));
#elif defined(__aarch64__)
	register long number __asm__("x8") = 93;
	register long code __asm__("x0") = 0;
	__asm__ volatile("svc 0" ::"r"(number), "r"(code));
#else
#error "name the exit system call of this machine"
#endif
	for (;;)
		;
}
