/* netdelay CONF IF...: an Ethernet switch in user space with delay, loss and a limit of rate, for kernels without sch_netem.
 *
 * A line of CONF is "IF delay_us loss_percent rate_mbit" (0: none; IF may be `all`) and holds for frames that leave by IF; SIGHUP
 * has it read anew. Frames keep the header that the kernel puts before them (PACKET_VNET_HDR), so that checksums and
 * segmentation left to the other end of a veth pair stay valid. Addresses are learnt; what is for nobody known goes to all. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    PORTS_MAX = 16,
    KNOWN_MAX = 256,
    FRAME_MAX = 65536 + 256,
    QUEUE_MAX = 20000, /* frames that wait at a port; more are dropped */
    BATCH = 64,        /* frames that are taken from a port before the others have their turn */
    SOCKET_BYTES = 8 << 20,
    AGAIN_NS = 200000, /* until a full socket is tried again */
};

#define SECOND_NS INT64_C(1000000000)

struct frame {
    struct frame *next;
    int64_t due_ns;
    size_t size;
    char data[];
};

struct port {
    char name[IFNAMSIZ];
    int fd;
    int64_t delay_ns, free_ns; /* free_ns: when the line is free again, at its rate */
    double loss, rate_mbit;
    struct frame *head, **tail;
    size_t waiting;
};

struct known {
    unsigned char address[ETH_ALEN];
    int port;
};

static struct port ports[PORTS_MAX];
static int port_count;
static struct known known[KNOWN_MAX];
static int known_count;
static volatile sig_atomic_t reread = 1;

static void on_hangup(int number)
{
    (void)number;
    reread = 1;
}

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND_NS + time.tv_nsec;
}

/* Later lines count more. Without the file all stays as it was. */
static void read_settings(const char *path)
{
    FILE *file = fopen(path, "r");
    char name[64];
    double delay_us, loss_percent, rate_mbit;
    reread = 0;
    while (file && fscanf(file, "%63s %lf %lf %lf", name, &delay_us, &loss_percent, &rate_mbit) == 4) {
        for (int i = 0; i < port_count; i++) {
            if (strcmp(name, ports[i].name) != 0 && strcmp(name, "all") != 0)
                continue;
            ports[i].delay_ns = (int64_t)(1000 * delay_us);
            ports[i].loss = loss_percent / 100;
            ports[i].rate_mbit = rate_mbit;
        }
    }
    if (file)
        fclose(file);
}

static int open_port(struct port *port, const char *name)
{
    int one = 1, bytes = SOCKET_BYTES;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    snprintf(port->name, sizeof port->name, "%s", name);
    port->tail = &port->head;
    port->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sll_ifindex = (int)if_nametoindex(port->name);
    struct packet_mreq all = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(port->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) != 0 ||
        setsockopt(port->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) != 0 ||
        setsockopt(port->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0 ||
        bind(port->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -errno;
    setsockopt(port->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    setsockopt(port->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    return 0;
}

/* Sends a frame that came at this time, now or when it is due; it is lost by chance, and where too many wait. */
static void put(struct port *port, const char *data, size_t size, int64_t time_ns)
{
    if (port->loss > 0 && drand48() < port->loss)
        return;
    if (port->rate_mbit > 0) {
        int64_t begin_ns = port->free_ns > time_ns ? port->free_ns : time_ns;
        time_ns = port->free_ns = begin_ns + (int64_t)((double)size * 8000 / port->rate_mbit);
    }
    time_ns += port->delay_ns;
    if (!port->head && time_ns <= now_ns()) {
        (void)!send(port->fd, data, size, 0);
        return;
    }
    struct frame *frame = port->waiting < QUEUE_MAX ? malloc(sizeof *frame + size) : NULL;
    if (!frame)
        return;
    *frame = (struct frame){.due_ns = time_ns, .size = size};
    memcpy(frame->data, data, size);
    *port->tail = frame;
    port->tail = &frame->next;
    port->waiting++;
}

/* Sends what is due; gives when the next will be, 0: nothing waits. */
static int64_t send_due(struct port *port, int64_t time_ns)
{
    while (port->head && port->head->due_ns <= time_ns) {
        struct frame *frame = port->head;
        if (send(port->fd, frame->data, frame->size, 0) < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            frame->due_ns = time_ns + AGAIN_NS;
            break;
        }
        port->head = frame->next;
        if (!port->head)
            port->tail = &port->head;
        port->waiting--;
        free(frame);
    }
    return port->head ? port->head->due_ns : 0;
}

/* The place of an address, known_count where it is new. */
static int find(const unsigned char *address)
{
    int i = 0;
    while (i < known_count && memcmp(known[i].address, address, ETH_ALEN) != 0)
        i++;
    return i;
}

static void learn(const unsigned char *address, int port)
{
    int i = find(address);
    if (i == KNOWN_MAX)
        return;
    memcpy(known[i].address, address, ETH_ALEN);
    known[i].port = port;
    known_count += i == known_count;
}

static void forward(int from, const char *data, size_t size)
{
    const struct ether_header *header = (const void *)(data + sizeof(struct virtio_net_hdr));
    bool group = header->ether_dhost[0] & 1;
    int to = find(header->ether_dhost);
    bool all = group || to == known_count;
    int64_t time_ns = now_ns();
    learn(header->ether_shost, from);
    for (int i = 0; i < port_count; i++) {
        if (i != from && (all || known[to].port == i))
            put(&ports[i], data, size, time_ns);
    }
}

static void receive(int from)
{
    static char data[FRAME_MAX];
    for (int i = 0; i < BATCH; i++) {
        ssize_t size = recv(ports[from].fd, data, sizeof data, 0);
        if (size < (ssize_t)(sizeof(struct virtio_net_hdr) + sizeof(struct ether_header)))
            return;
        forward(from, data, (size_t)size);
    }
}

static void set_timer(int timer, int64_t at_ns)
{
    struct itimerspec at = {.it_value = {at_ns / SECOND_NS, at_ns % SECOND_NS}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void turn(int timer, struct pollfd *items)
{
    int64_t time_ns = now_ns(), first_ns = 0;
    uint64_t expired;
    for (int i = 0; i < port_count; i++) {
        int64_t due_ns = send_due(&ports[i], time_ns);
        if (due_ns && (!first_ns || due_ns < first_ns))
            first_ns = due_ns;
    }
    set_timer(timer, first_ns);
    if (poll(items, (nfds_t)port_count + 1, -1) < 0)
        return; /* a signal */
    if (items[port_count].revents)
        (void)!read(timer, &expired, sizeof expired);
    for (int i = 0; i < port_count; i++) {
        if (items[i].revents & POLLIN)
            receive(i);
    }
}

int main(int argc, char **argv)
{
    struct pollfd items[PORTS_MAX + 1];
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (argc < 4 || argc - 2 > PORTS_MAX) {
        fprintf(stderr, "usage: netdelay CONF IF IF... (at most %d)\n", PORTS_MAX);
        return 2;
    }
    for (; port_count < argc - 2; port_count++) {
        int code = open_port(&ports[port_count], argv[port_count + 2]);
        if (code) {
            fprintf(stderr, "netdelay: %s: %s\n", argv[port_count + 2], strerror(-code));
            return 1;
        }
        items[port_count] = (struct pollfd){.fd = ports[port_count].fd, .events = POLLIN};
    }
    items[port_count] = (struct pollfd){.fd = timer, .events = POLLIN};
    signal(SIGHUP, on_hangup);
    for (;;) {
        if (reread)
            read_settings(argv[1]);
        turn(timer, items);
    }
}
