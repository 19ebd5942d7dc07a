# Serves one of several etcd: DATA NAME HOST PORT PEER_PORT NAME=HOST:PORT=FROM_PORT_TO_PEER_PORT...
data=$1 name=$2 host=$3 port=$4 peer_port=$5
shift 5
members='' own=''
for each; do
  member=${each%%=*} rest=${each#*=}
  address=${rest%=*}
  url="http://${address%:*}:$((${address##*:} + ${rest##*=}))"
  members="${members:+$members,}$member=$url"
  if [ "$member" = "$name" ]; then own=$url reached=$address; fi
done

# heartbeat-interval, election-timeout: milliseconds; by default a busy machine is enough for an election.
# enable-v2: Patroni speaks the second version of the protocol here, see patroni.sh.
# initial-cluster-state: with a data folder that has something in it, this says nothing.
exec etcd --name "$name" --data-dir "$data/etcd" \
  --listen-client-urls "http://$host:$port" --advertise-client-urls "http://$reached" \
  --listen-peer-urls "http://$host:$peer_port" --initial-advertise-peer-urls "$own" \
  --initial-cluster "$members" --initial-cluster-state new \
  --enable-v2 --heartbeat-interval 250 --election-timeout 2500 --logger zap --log-level warn
