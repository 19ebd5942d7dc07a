# Makes a cluster in a data folder at the first start, with a database and a role of each name, and
# serves it: DATA HOST PORT SYNCHRONOUS_COMMIT DATABASE...
data=$1 host=$2 port=$3 sync=$4
shift 4

# The server refuses to run as root: started by root it runs as the user that its package made.
as=
if [ "$(id -u)" = 0 ]; then
  as='setpriv --reuid=postgres --regid=postgres --clear-groups'
  chown postgres "$data"
  $as test -w "$data" || {
    echo "the user postgres may not enter $data: have it where everybody may" >&2
    exit 1
  }
fi

cd "$data"
if [ ! -e made ]; then
  rm -rf cluster
  $as initdb -D cluster -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
  {
    echo "host all postgres all trust"
    for name; do echo "host $name $name all trust"; done
  } | $as sh -c 'cat >cluster/pg_hba.conf'
  for name; do
    echo "CREATE ROLE \"$name\" LOGIN"
    echo "CREATE DATABASE \"$name\" OWNER \"$name\""
    echo "REVOKE CONNECT ON DATABASE \"$name\" FROM PUBLIC"
  done | $as postgres --single -D cluster postgres >/dev/null
  $as touch made
fi

exec $as postgres -D cluster -p "$port" \
  -c listen_addresses="$host" \
  -c unix_socket_directories= \
  -c synchronous_commit="$sync" \
  -c max_connections=60 \
  -c autovacuum_naptime=5s \
  -c jit=off
