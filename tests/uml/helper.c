/* The helper of every kind, in the machine of the tests. It notes its pid, its kind and its word in /tmp/log, and ends
 * as the word's last part says: NUMBER-eCODE exits with CODE, -kSIGNAL kills itself, -wSECONDS waits.
 *   modprobe -q -- fs-WORD         a module is asked for
 *   request-key create KEY ..      a key is asked for; its description is the word
 *   helper core WORD               /proc/sys/kernel/core_pattern
 *   helper /WORD                   the release agent of a cgroup
 *   helper crash WORD              no helper: dies of SIGABRT, with the word as its name
 *   helper insmod FILE             no helper: loads a module, and says how that ended
 *   helper rmmod NAME              no helper: unloads it
 *   helper chroot                  no helper: changes its root to where it is
 * A key whose description begins with `give` gets the payload "of DESCRIPTION". The core of a process whose name begins
 * with `whole` is written to /tmp/core, or to /var/crash/core if a profile does not let it; that process has PATTERN
 * bytes of a pattern in its memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEYCTL_DESCRIBE 6
#define KEYCTL_INSTANTIATE 12
#define KEYCTL_ASSUME_AUTHORITY 16
#define PATTERN (4 * 1024 * 1024)

static void end(const char *kind, const char *word)
{
	const char *last = strrchr(word, '-');
	char line[512];
	int length = snprintf(line, sizeof line, "%d %s %.300s\n", (int)getpid(), kind, word);
	int value = last && last[1] ? atoi(last + 2) : 97;
	int fd = open("/tmp/log", O_WRONLY | O_APPEND | O_CLOEXEC);

	/* A profile may not let it write there: then nothing is noted. */
	if (fd < 0 ? errno != EACCES : write(fd, line, length) != length)
		_exit(98);
	if (last && last[1] == 'k')
		kill(getpid(), value);
	if (last && last[1] == 'w')
		sleep(value);
	_exit(last && last[1] == 'e' ? value : 0);
}

static void give(long key, const char *word)
{
	char payload[512];
	int length = snprintf(payload, sizeof payload, "of %.300s", word);

	if (syscall(SYS_keyctl, KEYCTL_ASSUME_AUTHORITY, key) < 0 ||
	    syscall(SYS_keyctl, KEYCTL_INSTANTIATE, key, payload, (long)length, 0L))
		_exit(95);
}

static void keep(void)
{
	static char piece[65536];
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, fd = open("/tmp/core", flags, 0600);
	ssize_t length;

	if (fd < 0 && errno == EACCES)
		fd = open("/var/crash/core", flags, 0600);
	while ((length = read(0, piece, sizeof piece)) > 0)
		if (write(fd, piece, length) != length)
			_exit(94);
	if (length < 0)
		_exit(93);
}

/* The word at N is N times an odd number, so that no piece can be missing or stand elsewhere. */
static void pattern(void)
{
	volatile unsigned *words = malloc(PATTERN);
	unsigned n;

	for (n = 0; words && n < PATTERN / sizeof *words; n++)
		words[n] = n * 2654435761u;
}

static int done(const char *what, long result)
{
	printf("%s: %s\n", what, strerror(result < 0 ? errno : 0));
	return result < 0;
}

/* A file whose name does not end in .ko is compressed: MODULE_INIT_COMPRESSED_FILE. */
static long insmod(const char *path)
{
	const char *last = strrchr(path, '.');
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fd : syscall(SYS_finit_module, fd, "", last && strcmp(last, ".ko") ? 4 : 0);
}

int main(int argc, char **argv)
{
	static char text[4096];
	const char *word;
	long length;

	if (argc > 2 && !strcmp(argv[1], "insmod"))
		return done("insmod", insmod(argv[2]));
	if (argc > 2 && !strcmp(argv[1], "rmmod"))
		return done("rmmod", syscall(SYS_delete_module, argv[2], O_NONBLOCK));
	if (argc > 1 && !strcmp(argv[1], "chroot"))
		return done("chroot", chroot("."));
	if (argc > 3 && !strcmp(argv[1], "-q"))
		end("module", strchr(argv[3], '-') ? strchr(argv[3], '-') + 1 : argv[3]);
	if (argc > 2 && !strcmp(argv[1], "create")) {
		/* TYPE;UID;GID;PERMISSIONS;DESCRIPTION */
		length = syscall(SYS_keyctl, KEYCTL_DESCRIBE, (long)atoi(argv[2]), text, sizeof text - 1);
		word = length > 0 && strrchr(text, ';') ? strrchr(text, ';') + 1 : "?";
		if (!strncmp(word, "give", 4))
			give(atoi(argv[2]), word);
		end("key", word);
	}
	if (argc > 2 && !strcmp(argv[1], "core") && !strncmp(argv[2], "whole", 5))
		keep();
	if (argc > 2 && !strcmp(argv[1], "core"))
		end("core", argv[2]);
	if (argc > 2 && !strcmp(argv[1], "crash")) {
		prctl(PR_SET_NAME, argv[2]);
		if (!strncmp(argv[2], "whole", 5))
			pattern();
		abort();
	}
	if (argc > 1 && argv[1][0] == '/')
		end("agent", strrchr(argv[1], '/') + 1);
	return 96;
}
