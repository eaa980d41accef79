/* Gives a rank the cores that decoyd set aside for it, so that jobs side by side do not share any. */
#ifndef DECOY_WORKER_BIND_H
#define DECOY_WORKER_BIND_H

/* Of text, "h1/4:0,1,2,3;h2/2:0,1" (host, its slots, the slots of its ranks in turn), the indices of this host's rank into
 * the CPUs it may run on, of which there are cpus: fills chosen (threads). Returns 0; -ENOENT when nothing is said of
 * the host; -EDOM when it has more or fewer CPUs than slots, so that they are not decoyd's alone to give. */
int bind_choose(const char *text, const char *host, int local_rank, int threads, int cpus, int *chosen);

/* Binds this process by DECOY_CPUS; call it before threads are made. Without that, or where it does not fit, the process
 * stays as it is. */
void bind_rank(int threads);

#endif
