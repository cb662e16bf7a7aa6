/* The helper of every kind, in the machine of the tests. It notes its pid, its kind and its word in /tmp/log, and ends
 * as the word's last part says: NUMBER-eCODE exits with CODE, -kSIGNAL kills itself, -wSECONDS waits.
 *   modprobe -q -- fs-WORD         a module is asked for
 *   request-key create KEY ..      a key is asked for; its description is the word
 *   helper core WORD               /proc/sys/kernel/core_pattern
 *   helper /WORD                   the release agent of a cgroup
 *   helper crash WORD              no helper: dies of SIGABRT, with the word as its name
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEYCTL_DESCRIBE 6

static void end(const char *kind, const char *word)
{
	const char *last = strrchr(word, '-');
	char line[512];
	int length = snprintf(line, sizeof line, "%d %s %.300s\n", (int)getpid(), kind, word);
	int value = last && last[1] ? atoi(last + 2) : 97;
	int fd = open("/tmp/log", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || write(fd, line, length) != length)
		_exit(98);
	if (last && last[1] == 'k')
		kill(getpid(), value);
	if (last && last[1] == 'w')
		sleep(value);
	_exit(last && last[1] == 'e' ? value : 0);
}

int main(int argc, char **argv)
{
	static char text[4096];
	long length;

	if (argc > 3 && !strcmp(argv[1], "-q"))
		end("module", strchr(argv[3], '-') ? strchr(argv[3], '-') + 1 : argv[3]);
	if (argc > 2 && !strcmp(argv[1], "create")) {
		/* TYPE;UID;GID;PERMISSIONS;DESCRIPTION */
		length = syscall(SYS_keyctl, KEYCTL_DESCRIBE, (long)atoi(argv[2]), text, sizeof text - 1);
		end("key", length > 0 && strrchr(text, ';') ? strrchr(text, ';') + 1 : "?");
	}
	if (argc > 2 && !strcmp(argv[1], "core"))
		end("core", argv[2]);
	if (argc > 2 && !strcmp(argv[1], "crash")) {
		prctl(PR_SET_NAME, argv[2]);
		abort();
	}
	if (argc > 1 && argv[1][0] == '/')
		end("agent", strrchr(argv[1], '/') + 1);
	return 96;
}
