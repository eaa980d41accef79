/* netdelay: user-space Ethernet switch with delay, loss and rate limit (this kernel has no sch_netem).
 * usage: netdelay CONF IF...   CONF line: "IF delay_us loss_percent rate_mbit" (0 = off), applies to frames LEAVING by IF.
 * SIGHUP re-reads CONF. Frames keep their virtio header, so checksum/segmentation offload of veth stays valid. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#define MAXIF 16
#define BUFSZ (65536 + 256)
typedef struct frame {
    struct frame *next;
    long long due;
    int len;
    char data[];
} frame;
static struct port {
    char name[IFNAMSIZ];
    int fd, idx;
    long long delay_ns, next_free;
    double loss, mbit;
    frame *head, **tail;
    long qlen, drop, fwd;
} P[MAXIF];
static int n;
static struct {
    unsigned char mac[6];
    int port;
} T[256];
static int nt;
static volatile sig_atomic_t reload = 1;
static void hup(int s)
{
    (void)s;
    reload = 1;
}
static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static void conf(const char *f)
{
    FILE *h = fopen(f, "r");
    char nm[64];
    double d, l, r;
    if (!h)
        return;
    while (fscanf(h, "%63s %lf %lf %lf", nm, &d, &l, &r) == 4)
        for (int i = 0; i < n; i++)
            if (!strcmp(nm, P[i].name) || !strcmp(nm, "all")) {
                P[i].delay_ns = d * 1000;
                P[i].loss = l / 100;
                P[i].mbit = r;
            }
    fclose(h);
    reload = 0;
}
static void out(struct port *p, const char *b, int len, long long t)
{
    if (p->loss > 0 && drand48() < p->loss) {
        p->drop++;
        return;
    }
    if (p->mbit > 0) {
        if (p->next_free < t)
            p->next_free = t;
        p->next_free += (long long)(len * 8000.0 / p->mbit);
        t = p->next_free;
    }
    t += p->delay_ns;
    if (!p->head && t <= now()) {
        if (send(p->fd, b, len, 0) < 0)
            p->drop++;
        else
            p->fwd++;
        return;
    }
    if (p->qlen >= 20000) {
        p->drop++;
        return;
    }
    frame *f = malloc(sizeof *f + len);
    if (!f) {
        p->drop++;
        return;
    }
    f->next = NULL;
    f->due = t;
    f->len = len;
    memcpy(f->data, b, len);
    *p->tail = f;
    p->tail = &f->next;
    p->qlen++;
}
int main(int c, char **v)
{
    static char b[BUFSZ];
    struct pollfd pf[MAXIF + 1];
    if (c < 4)
        return 2;
    for (n = 0; n < c - 2 && n < MAXIF; n++) {
        struct port *p = &P[n];
        int one = 1, sz = 8 << 20;
        struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
        snprintf(p->name, sizeof p->name, "%s", v[n + 2]);
        p->tail = &p->head;
        p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
        a.sll_ifindex = p->idx = if_nametoindex(p->name);
        struct packet_mreq m = {.mr_ifindex = p->idx, .mr_type = PACKET_MR_PROMISC};
        if (setsockopt(p->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) ||
            setsockopt(p->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
            setsockopt(p->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m) ||
            bind(p->fd, (void *)&a, sizeof a)) {
            perror(p->name);
            return 1;
        }
        setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &sz, sizeof sz);
        setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &sz, sizeof sz);
        pf[n].fd = p->fd;
        pf[n].events = POLLIN;
    }
    int tf = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    pf[n].fd = tf;
    pf[n].events = POLLIN;
    signal(SIGHUP, hup);
    srand48(1);
    for (;;) {
        if (reload)
            conf(v[1]);
        long long t = now(), first = 0;
        for (int i = 0; i < n; i++) {
            struct port *p = &P[i];
            while (p->head && p->head->due <= t) {
                frame *f = p->head;
                if (send(p->fd, f->data, f->len, 0) < 0) {
                    if (errno == EAGAIN || errno == ENOBUFS) {
                        f->due = t + 200000;
                        break;
                    }
                    p->drop++;
                } else
                    p->fwd++;
                p->head = f->next;
                if (!p->head)
                    p->tail = &p->head;
                p->qlen--;
                free(f);
            }
            if (p->head && (!first || p->head->due < first))
                first = p->head->due;
        }
        struct itimerspec it = {.it_value = {first / 1000000000, first % 1000000000}};
        timerfd_settime(tf, TFD_TIMER_ABSTIME, &it, NULL);
        if (poll(pf, n + 1, -1) < 0)
            continue;
        if (pf[n].revents) {
            unsigned long long x;
            if (read(tf, &x, 8)) {
            }
        }
        for (int i = 0; i < n; i++)
            if (pf[i].revents & POLLIN)
                for (int k = 0; k < 64; k++) {
                    int len = recv(P[i].fd, b, sizeof b, 0), dst = -1, j;
                    if (len < (int)sizeof(struct virtio_net_hdr) + 14)
                        break;
                    unsigned char *e = (unsigned char *)b + sizeof(struct virtio_net_hdr);
                    long long tt = now();
                    for (j = 0; j < nt && memcmp(T[j].mac, e + 6, 6); j++)
                        ;
                    if (j == nt && nt < 256) {
                        memcpy(T[nt].mac, e + 6, 6);
                        nt++;
                    }
                    if (j < 256)
                        T[j].port = i;
                    if (!(e[0] & 1))
                        for (j = 0; j < nt; j++)
                            if (!memcmp(T[j].mac, e, 6))
                                dst = T[j].port;
                    if (dst >= 0) {
                        if (dst != i)
                            out(&P[dst], b, len, tt);
                    } else
                        for (j = 0; j < n; j++)
                            if (j != i)
                                out(&P[j], b, len, tt);
                }
    }
}
