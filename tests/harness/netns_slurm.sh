#!/bin/bash
# netns_slurm.sh N CMD... : real Slurm over N namespace hosts (h1..hN, slurmctld on h1), run CMD on h1, leave nothing behind.
H=$(cd "$(dirname "$0")" && pwd); n=$1; shift
S=${SLURM_DIR:-$(mktemp -d /var/tmp/slurm.XXXXXX)} # not /tmp: each host has its own
export S H
setpriv --pdeathsig KILL "$H/netns_cluster.sh" "$n" bash -c '
  export SLURM_HOSTS="$(seq -f h%g -s " " '"$n"')" SLURM_CTL=h1 SLURM_CTLADDR=10.77.0.1
  "$H/slurm_up.sh" "$S" '"$n"' "$(nproc)" >&2 || exit 99
  . "$S/env"; "$@"; rc=$?; "$H/slurm_down.sh" "$S" >&2; exit $rc' sh "$@"
rc=$?; [ "${KEEP:-}" ] && echo "kept $S" >&2 || rm -rf "$S"; exit $rc
