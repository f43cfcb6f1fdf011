/* SPDX-License-Identifier: Apache-2.0 */
#include "base/startup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/macros.h"

void startup_hold_streams(void) {
	static const int modes[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
	for (int fd = 0; fd < (int)ARRAY_LEN(modes); fd++) {
		bool closed = fcntl(fd, F_GETFD) < 0;
		int held UNUSED = closed ? open("/dev/null", modes[fd]) : fd;
	}
}

static void do_nothing(int number UNUSED) {
}

void startup_catch_write_signals(void) {
	signal(SIGPIPE, do_nothing);
	signal(SIGXFSZ, do_nothing);
}
