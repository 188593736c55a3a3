/* The sandbox process of every pod: it holds the pod's namespaces, reaps orphans and ends on SIGTERM or SIGINT. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void finish(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, NULL, WNOHANG) > 0); }

int main(void) {
    struct sigaction on_child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
    signal(SIGINT, finish);
    signal(SIGTERM, finish);
    sigaction(SIGCHLD, &on_child, NULL);
    for (;;) pause();
}
