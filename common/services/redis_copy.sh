# Starts one of several copies of a Redis: DATA CLUSTER ADDRESS FIRST SENTINEL,... COMMAND...
#
# At its first start the copy at FIRST is the primary. Later the sentinels know who is. A primary that
# was killed would else believe for ten seconds that it is one still, until they tell it otherwise.
data=$1 cluster=$2 own=$3 primary=$4 sentinels=$(echo "$5" | tr , ' ')
shift 5

# Says "HOST:PORT calm" if the sentinels that answer, at least two, agree on the primary; "busy" if one
# of them has not seen it for a moment, and another may be about to be made.
asked() {
  for sentinel in $sentinels; do
    timeout 1 redis-cli -h "${sentinel%:*}" -p "${sentinel##*:}" --raw sentinel master "$cluster" 2>/dev/null |
      awk 'last == "ip" { host = $0 } last == "port" { port = $0 } last == "flags" { flags = $0 } { last = $0 }
        END { if (port) print host ":" port, flags ~ /down|failover/ ? "busy" : "calm" }'
  done | awk '{ seen[$1]++; if ($2 == "busy") busy = 1; address = $1 }
    END { for (each in seen) different++
      if (NR >= 2 && different == 1) print address, busy ? "busy" : "calm" }'
}

if [ -e "$data/begun" ]; then
  # They miss this very copy while it is not there. Where no other can take over they go on to.
  patience=50
  until
    found=$(asked)
    case $found in
    "") false ;;
    "$own busy") patience=$((patience - 1)) && [ $patience -le 0 ] ;;
    *) true ;;
    esac
  do
    sleep 0.2
  done
  primary=${found% *}
fi
touch "$data/begun"

own_host=${own%:*} own_port=${own##*:}
[ "$primary" = "$own" ] || set -- "$@" --replicaof "${primary%:*} ${primary##*:}"
exec "$@" --replica-announce-ip "$own_host" --replica-announce-port "$own_port"
