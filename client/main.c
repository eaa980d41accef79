/* decoy, the client. */
#include "client/client.h"
#include "client/complete.h"

#include <string.h>

int main(int argc, char **argv)
{
    static char version[] = "version";
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    if (argc > 1 && strcmp(argv[1], "complete") == 0)
        return complete_main(argc - 2, argv + 2);
    return client_main(argc, argv);
}
