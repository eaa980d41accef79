/* The copies of shards on a host's own disk: its ranks make them together, before the first step. */
#include "daemon/worker/train/trainer.h"
#include "proto/spec.h"

#include <errno.h>

static bool tell_caching(void *context, size_t done, size_t all)
{
    const struct trainer *trainer = context;
    link_progress(trainer->job->link, (double)done, (double)all, "shards");
    return link_stop_asked(trainer->job->link);
}

int trainer_fill_cache(struct trainer *trainer, struct err *err)
{
    const char *directory = spec_text(trainer->job->spec, "cache");
    struct team *team = trainer->job->team;
    const struct dataset_caching how = {(size_t)team_local_rank(team), (size_t)team_local_size(team),
                                        tell_caching, trainer};
    size_t there, wanted;
    if (!directory)
        return 0;
    int code = dataset_cache(trainer->dataset, directory, &how, &there, &wanted, err);
    if (code && code != -ECANCELED)
        return code;
    if (team_any(team, code != 0))
        return err_set(err, -ECANCELED, "stopped while shards were copied to %s", directory);
    double sums[] = {(double)there, (double)wanted};
    team_sum(team, sums, 2);
    if (trainer->first)
        link_note(trainer->job->link, "%.0f of %.0f shards are in %s, over all hosts", sums[0], sums[1],
                  directory);
    return 0;
}
