# Looks up names beside a program that stands still while it does so itself: of a container that is away
# no answer may come for seconds, and a Redis or a sentinel serves nobody until then.
#
# keep_hosts DATA HOST:PORT... writes the last known address of each into /etc/hosts, which is read first,
# and goes on doing so. Nothing is done for what is an address already.
keep_hosts() {
  kept=$1 names=
  shift
  for each; do
    case ${each%:*} in
    *[!0-9.]*) names="$names ${each%:*}" ;;
    esac
  done
  [ -n "$names" ] || return 0
  until look_up; do sleep 0.2; done
  while sleep 1; do look_up || true; done &
}

look_up() {
  for name in $names; do
    { found=$(timeout 3 getent -s hosts:dns ahostsv4 "$name" | awk 'NR == 1 { print $1 }') &&
      [ -n "$found" ] && echo "$found $name # kept" >"$kept/at.$name"; } &
  done
  wait
  { grep -v '# kept$' /etc/hosts && cat "$kept"/at.*; } >"$kept/hosts"
  cmp -s "$kept/hosts" /etc/hosts || cat "$kept/hosts" >/etc/hosts
  for name in $names; do [ -e "$kept/at.$name" ] || return 1; done
}

