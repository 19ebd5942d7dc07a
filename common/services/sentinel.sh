# Starts a sentinel: DATA HOST ADDRESS DOWN_AFTER FAILOVER_TIMEOUT SENTINEL,... CLUSTER=PRIMARY,REPLICA,...
#
# It writes into its file who is the primary and who else there is, so the file is made once. All of
# them are in there from the start, as they would be once they had found each other.
data=$1 host=$2 own=$3 down_after=$4 timeout=$5 sentinels=$(echo "$6" | tr , ' ')
shift 6
keep_hosts "$data" $sentinels $(echo "$*" | tr ' ,' '\n' | sed 's/.*=//')

place() { echo "${1%:*} ${1##*:}"; }
# Of an address: the same for all who know it.
id() { printf '%s' "$1" | sha1sum | cut -d ' ' -f 1; }

if [ ! -e "$data/sentinel.conf" ]; then
  {
    echo "port ${own##*:}"
    echo "bind $host"
    echo "dir $data"
    echo "protected-mode no"
    # Of a container that is started again the address may be another, its name stays.
    echo "sentinel resolve-hostnames yes"
    echo "sentinel announce-hostnames yes"
    echo "sentinel announce-ip ${own%:*}"
    echo "sentinel announce-port ${own##*:}"
    echo "sentinel myid $(id "$own")"
    for cluster; do
      name=${cluster%%=*} copies=$(echo "${cluster#*=}" | tr , ' ')
      set -- $copies
      echo "sentinel monitor $name $(place "$1") 2"
      echo "sentinel down-after-milliseconds $name $down_after"
      echo "sentinel failover-timeout $name $timeout"
      shift
      for copy; do
        echo "sentinel known-replica $name $(place "$copy")"
      done
      for each in $sentinels; do
        [ "$each" = "$own" ] || echo "sentinel known-sentinel $name $(place "$each") $(id "$each")"
      done
    done
  } >"$data/sentinel.conf.new"
  mv "$data/sentinel.conf.new" "$data/sentinel.conf"
fi

exec redis-server "$data/sentinel.conf" --sentinel
