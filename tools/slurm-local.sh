#!/bin/sh
# Runs a comparison on a local Slurm with one controller and one node on the loopback interface. It cancels a job, kills
# the session and resumes the comparison. It fails unless the results equal those of a sequential run.
# Call: sh tools/slurm-local.sh, as root on Debian or Ubuntu; it installs slurm-wlm, munge and the R packages it needs.
#
# Keys, sockets, logs and state are in a folder under /run. At the end the daemons are stopped and the folder is
# removed. The daemons listen on 127.0.0.1 only. No file of the system's own Slurm or munge is read or changed.

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -eq 0 ] || die "call: sh tools/slurm-local.sh"
can_apt || die "this script needs root on Debian or Ubuntu"

# ---- packages --------------------------------------------------------------------------------------------

# policy-rc.d keeps the installation from starting the daemons with the configuration of the system.
policy=/usr/sbin/policy-rc.d
if [ -e "$policy" ]; then policy=""; else printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; fi
trap 'rm -rf "$work" ${fresh:+"$fresh"} ${policy:+"$policy"}' EXIT
need=""
for program in munged slurmctld slurmd sbatch; do
  have "$program" || [ -x "/usr/sbin/$program" ] || need="slurm-wlm munge"
done
# shellcheck disable=SC2086 # one word per name
[ -z "$need" ] || apt_install $need
set_up test
Rscript -e 'quit(status = 1L - requireNamespace("future.batchtools", quietly = TRUE))' ||
  apt_install r-cran-future.batchtools
install_capalloc
[ -z "$policy" ] || rm -f "$policy"
policy=""
PATH=$PATH:/usr/sbin:/sbin

# ---- Slurm -----------------------------------------------------------------------------------------------

slurm=$(mktemp -d /run/capalloc-slurm.XXXXXX)
chmod 755 "$slurm"
# Selects this Slurm, so that scancel never acts on another Slurm of the machine.
SLURM_CONF=$slurm/slurm.conf
export SLURM_CONF
mkdir "$slurm/controller" "$slurm/node" "$slurm/log"
session=""
stop_slurm() {
  [ -z "$session" ] || kill -9 "$session" 2> /dev/null || :
  scancel --user=root > /dev/null 2>&1 || :
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$slurm/$daemon.pid" 2> /dev/null) || continue
    kill "$pid" 2> /dev/null || continue
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2> /dev/null || break; sleep 0.5; done
    kill -9 "$pid" 2> /dev/null || :
  done
  rm -rf "$work" "$slurm" ${fresh:+"$fresh"}
}
trap stop_slurm EXIT

host=$(hostname -s)
cores=$(nproc)
free_port() { # -> a port on which no process listens
  Rscript -e 'cat(parallelly::freePort())'
}
ctld_port=$(free_port)
node_port=$(free_port)
cat > "$slurm/slurm.conf" << CONF
ClusterName=capalloc
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$ctld_port
SlurmdPort=$node_port
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$slurm/munge.socket
CredType=cred/munge
StateSaveLocation=$slurm/controller
SlurmdSpoolDir=$slurm/node
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.pid
SlurmctldLogFile=$slurm/log/slurmctld
SlurmdLogFile=$slurm/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MailProg=/bin/true
MinJobAge=300
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
USER=$(id -un)
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export USER PATH OMP_NUM_THREADS OPENBLAS_NUM_THREADS

start() { # name, command ...
  name=$1
  shift
  "$@" > "$slurm/log/$name.start" 2>&1 || {
    cat "$slurm/log/$name"* >&2
    die "$name did not start"
  }
}
say "Starting munge and Slurm on 127.0.0.1 ..."
dd if=/dev/urandom of="$slurm/munge.key" bs=1024 count=1 2> /dev/null
chmod 400 "$slurm/munge.key"
start munged munged --key-file="$slurm/munge.key" --socket="$slurm/munge.socket" --pid-file="$slurm/munged.pid" \
  --log-file="$slurm/log/munged" --seed-file="$slurm/munge.seed" --num-threads=1
start slurmctld slurmctld
start slurmd slurmd -N "$host"
for _ in $(seq 60); do
  [ "$(sinfo -h -o %t 2> /dev/null)" != idle ] || break
  sleep 0.5
done
[ "$(sinfo -h -o %t)" = idle ] || {
  tail -n 20 "$slurm/log/slurmd" "$slurm/log/slurmctld" >&2
  die "the node is not idle"
}
sinfo
# /proc/net/tcp shows addresses in hexadecimal with reversed bytes: 0100007F is 127.0.0.1, the only address allowed.
for port in "$ctld_port" "$node_port"; do
  awk -v port="$(printf %04X "$port")" '
    split($2, at, ":") && at[2] == port && $4 == "0A" { n++; bad += at[1] != "0100007F" }
    END { exit !(n == 1 && bad == 0) }' /proc/net/tcp || die "port $port does not listen on 127.0.0.1 only"
done

# ---- the comparison --------------------------------------------------------------------------------------

cat > "$work/compare.R" << 'COMPARE'
# Call: Rscript compare.R sequential|slurm RESULT [CHECKPOINT]
library(capalloc)
asked <- commandArgs(TRUE)
if (asked[1] == "slurm") {
  future::plan(future.batchtools::batchtools_slurm, workers = 2,
    template = system.file("batchtools", "slurm.tmpl", package = "capalloc"))
}
nets <- list(
  dense = arch_dense(16),
  tanh = input_sequence(16) |> layer_dense(4) |> layer_activation("tanh") |> layer_dense(1)
)
cmp <- compare_architectures(nets, classical_tasks(16)[c("ar", "fgn")], replicates = 6, n_obs = 400,
  control = list(max_iterations = 300, tol = 1e-14), checkpoint = if (length(asked) > 2) asked[3])
cmp$runs$seconds <- NULL
saveRDS(cmp[c("runs", "allocation", "demand")], asked[2])
print(table(ifelse(is.na(cmp$runs$error), "converged", cmp$runs$error)))
COMPARE
cd "$work"

same() { # what, result
  Rscript -e 'a <- lapply(commandArgs(TRUE), readRDS)
    said <- all.equal(a[[1]], a[[2]], tolerance = 1e-8)
    cat(if (identical(a[[1]], a[[2]])) "identical" else if (isTRUE(said)) "equal to 1e-8" else said, "\n")
    quit(status = if (isTRUE(said)) 0L else 1L)' "$work/sequential.rds" "$2" || die "$1: the results differ"
}
begin() { # result, checkpoint; starts a session in the background
  Rscript compare.R slurm "$1" "$2" > "$work/session.log" 2>&1 &
  session=$!
}
running_job() { # waits for a running job -> its number
  for _ in $(seq 600); do
    job=$(squeue -h -t R -o %i | tail -n 1)
    [ -z "$job" ] || { say "$job"; return; }
    sleep 0.1
  done
  die "no job is running"
}
written() { find "$1" -name 'run-*.txt' 2> /dev/null | wc -l; }
wait_for_runs() { # directory, number
  for _ in $(seq 1200); do [ "$(written "$1")" -lt "$2" ] || return 0; sleep 0.1; done
  die "fewer than $2 runs were written"
}
finish() {
  wait "$session" || { cat "$work/session.log" >&2; die "the session failed"; }
  session=""
  cat "$work/session.log"
}

say "Running the comparison sequentially ..."
Rscript compare.R sequential "$work/sequential.rds"

say "Running it on Slurm, with one job cancelled ..."
begin "$work/cancelled.rds" "$work/one"
wait_for_runs "$work/one" 2
job=$(running_job)
scancel "$job"
say "cancelled job $job after $(written "$work/one") runs were written"
finish
same "one job cancelled" "$work/cancelled.rds"

# Running jobs continue after their session was killed, and write to the checkpoint while the resumed session does.
say "Running it on Slurm, with one job cancelled and the session killed ..."
begin "$work/killed.rds" "$work/two"
wait_for_runs "$work/two" 5
job=$(running_job)
scancel "$job"
kill -9 "$session"
wait "$session" 2> /dev/null || :
session=""
say "cancelled job $job and killed the session after $(written "$work/two") of 24 runs were written"
[ ! -e "$work/killed.rds" ] || die "the session had ended before it was killed"
begin "$work/resumed.rds" "$work/two"
finish
same "resumed" "$work/resumed.rds"
say "The results on Slurm equal those of one process"
