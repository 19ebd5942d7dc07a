# Makes a cluster in a data folder at the first start, with a database and a role of each name, and
# serves it: DATA HOST PORT SYNCHRONOUS_COMMIT DATABASE...
data=$1 host=$2 port=$3 sync=$4
shift 4

# The server refuses to run as root: started by root it runs as the user that its package made.
as=
if [ "$(id -u)" = 0 ]; then
  as='setpriv --reuid=postgres --regid=postgres --clear-groups'
  chown postgres "$data"
fi
$as test -w "$data" || {
  echo "PostgreSQL may not write to $data: its user has to own it and may enter all folders above" >&2
  exit 1
}

cd "$data"
if [ ! -e made ]; then
  rm -rf cluster
  # What commits need not wait for, this need not either.
  quick=
  [ "$sync" = on ] || quick=--no-sync
  $as initdb -D cluster -U postgres -A trust -E UTF8 --locale=C $quick >/dev/null
  {
    echo "host all postgres all trust"
    for name; do echo "host $name $name all trust"; done
  } | $as sh -c 'cat >cluster/pg_hba.conf'
  for name; do
    echo "CREATE ROLE \"$name\" LOGIN"
    echo "CREATE DATABASE \"$name\" OWNER \"$name\""
    echo "REVOKE CONNECT ON DATABASE \"$name\" FROM PUBLIC"
    # So that it may see which session of another role holds back vacuum.
    echo "GRANT pg_monitor TO \"$name\""
  done | $as postgres --single -D cluster postgres >/dev/null
  $as touch made
fi

# max_connections: four sessions of each process and one that listens, six nodes, and room for faults.
# autovacuum_naptime: entries die within seconds, and dead ones are in the way of each claim.
# wal_compression: after a checkpoint each page is logged as a whole once, and that well compressed.
# default_toast_compression: large payloads, for less CPU than by default.
# client_connection_check_interval: a statement of a process that was killed holds its locks no longer.
# jit: statements are short and read by index; compiling one takes longer than it does.
exec $as postgres -D cluster -p "$port" \
  -c listen_addresses="$host" \
  -c unix_socket_directories= \
  -c synchronous_commit="$sync" \
  -c max_connections=60 \
  -c autovacuum_naptime=5s \
  -c wal_compression=lz4 \
  -c default_toast_compression=lz4 \
  -c client_connection_check_interval=1s \
  -c jit=off
