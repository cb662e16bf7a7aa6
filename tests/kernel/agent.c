/* The release agent of the tests: notes its pid and its argument in the file `log` beside itself, and ends as the
 * argument's last part says: `NUMBER-eCODE` exits with CODE, `NUMBER-kSIGNAL` kills itself, `-wSECONDS` waits. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[512], line[512];
	const char *end = argc > 1 ? strrchr(argv[1], '-') : 0;
	char *slash;
	int fd, length, value;

	if (!end || strlen(argv[0]) > 400)
		return 99;
	strcpy(path, argv[0]);
	slash = strrchr(path, '/');
	strcpy(slash + 1, "log");
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	length = snprintf(line, sizeof line, "%d %.300s\n", (int)getpid(), argv[1]);
	if (fd < 0 || write(fd, line, length) != length)
		return 98;
	value = atoi(end + 2);
	if (end[1] == 'k')
		kill(getpid(), value);
	if (end[1] == 'w')
		sleep(value);
	return end[1] == 'e' ? value : 0;
}
