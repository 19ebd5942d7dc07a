# Makes a cluster in a data folder at the first start, with a database and a role of each name, and
# serves it: DATA HOST PORT SYNCHRONOUS_COMMIT PARAMETERS DATABASE...
data=$1 host=$2 port=$3 sync=$4 parameters=$5
shift 5
own "$data"

cd "$data"
if [ ! -e made ]; then
  rm -rf cluster
  # What commits need not wait for, this need not either.
  quick=
  [ "$sync" = on ] || quick=--no-sync
  $as initdb -D cluster -U postgres -A trust -E UTF8 --locale=C $quick >/dev/null
  access "$@" | $as sh -c 'cat >cluster/pg_hba.conf'
  databases "$@" | $as postgres --single -D cluster postgres >/dev/null
  $as touch made
fi

set --
for each in $parameters; do set -- "$@" -c "$each"; done
exec $as postgres -D cluster -p "$port" \
  -c listen_addresses="$host" \
  -c unix_socket_directories= \
  -c synchronous_commit="$sync" \
  "$@"
