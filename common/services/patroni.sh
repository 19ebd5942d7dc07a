# Serves one of several copies of a PostgreSQL, one of which Patroni makes the primary:
# DATA NAME HOST PORT REST_PORT ADDRESS ETCD SYNCHRONOUS_COMMIT REPLICATION PARAMETERS PARENT
# DATABASE...
data=$1 name=$2 host=$3 port=$4 rest=$5 address=$6 etcd=$7 sync=$8 replication=$9
shift 9
parameters=$1 parent=$2
shift 2
own "$data"
cd "$data"

{
  echo '#!/bin/sh'
  echo 'exec psql -q -v ON_ERROR_STOP=1 "$1" <<"END"'
  databases "$@"
  echo END
} | $as sh -c 'cat >databases.sh; chmod +x databases.sh'

wanted=$(for each in $parameters; do echo "        ${each%%=*}: '${each#*=}'"; done)
allowed=$({ access "$@"; echo 'host replication replicator all trust'; } | sed 's/^/    - /')
is_sync=false
[ "$replication" = async ] || is_sync=true

# etcd: and not etcd3, for with that a primary which stood still for longer than ttl goes on from what
# it was last told, and Patroni before 3.0.3 writes its name over that of who has taken over.
# ttl: the least that Patroni takes; so long is a primary missed before another one takes over.
# loop_wait, retry_timeout: loop_wait + 2 * retry_timeout may be ttl at most. An etcd that elects is
# waited for, or else the primary would step down.
# maximum_lag_on_failover: bytes that the last primary may have written, and a new one may not have.
# synchronous_mode_strict: without a replica nobody writes; else the first fault of a replica would
# make it asynchronous, and the next one could lose what was acknowledged.
# checkpoint: a copy is begun at once, and not when the next checkpoint is due.
# remove_data_directory...: what cannot be rewound is copied again.
$as sh -c 'cat >patroni.yml' <<END
scope: taskqueue
name: $name
restapi:
  listen: $host:$rest
  connect_address: ${address%:*}:$rest
etcd:
  hosts: $etcd
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 9
    maximum_lag_on_failover: 1048576
    synchronous_mode: $is_sync
    synchronous_mode_strict: $is_sync
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        synchronous_commit: '$sync'
        wal_log_hints: 'on'
$wanted
  initdb:
    - encoding: UTF8
    - locale: C
  post_init: $data/databases.sh
postgresql:
  listen: $host:$port
  connect_address: $address
  data_dir: $data/cluster
  pgpass: $data/pgpass
  basebackup:
    checkpoint: fast
  remove_data_directory_on_rewind_failure: true
  remove_data_directory_on_diverged_timelines: true
  authentication:
    superuser:
      username: postgres
    replication:
      username: replicator
  parameters:
    unix_socket_directories: ''
  pg_hba:
$allowed
END
# That of the system, for which Patroni is packaged: who runs the testbed may have one of their own,
# which the server's user may not enter.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec $as "$python" -c "$parent" patroni "$data/patroni.yml"
