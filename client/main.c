/* decoy, the client. */
#include "client/client.h"

#include <string.h>

int main(int argc, char **argv)
{
    static char version[] = "version";
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    return client_main(argc, argv);
}
