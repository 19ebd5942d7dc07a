# Starts one of several copies of a Redis: DATA CLUSTER ADDRESS COPY,... SENTINEL,... COMMAND...
#
# At its first start the first copy is the primary. Later the sentinels know who is. A primary that
# was killed would else believe for ten seconds that it is one still, until they have it follow another.
data=$1 cluster=$2 own=$3 primary=${4%%,*} copies=$(echo "$4" | tr , ' ') sentinels=$(echo "$5" | tr , ' ')
shift 5
keep_hosts "$data" $copies

# Prints HOST:PORT of the primary if the sentinels that answer, at least two, agree on it.
asked() {
  for sentinel in $sentinels; do
    timeout 1 redis-cli -h "${sentinel%:*}" -p "${sentinel##*:}" --raw \
      sentinel get-master-addr-by-name "$cluster" 2>/dev/null | paste -s -d : -
  done | awk '/:/ { seen[$0]++ } END { for (each in seen) { if (++n == 1 && seen[each] >= 2) found = each }
    if (n == 1) print found }'
}

if [ -e "$data/begun" ]; then
  # If it is this one they are about to make another the primary, for it has been away. It does not
  # serve meanwhile, or what it accepts would be lost. Where no other can take over it goes on to.
  until=$(($(date +%s) + 15))
  until
    primary=$(asked)
    [ -n "$primary" ] && { [ "$primary" != "$own" ] || [ "$(date +%s)" -ge $until ]; }
  do
    sleep 0.2
  done
fi
touch "$data/begun"

own_host=${own%:*} own_port=${own##*:}
[ "$primary" = "$own" ] || set -- "$@" --replicaof "${primary%:*} ${primary##*:}"
exec "$@" --replica-announce-ip "$own_host" --replica-announce-port "$own_port"
