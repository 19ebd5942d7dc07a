# What every PostgreSQL here has in common, whoever starts it: functions for the scripts beside.

# Sets $as to what runs a command as who may run the server, which refuses to run as root: started
# by root it runs as the user that its package made. That user has to own DATA.
own() {
  as=
  if [ "$(id -u)" = 0 ]; then
    as='setpriv --reuid=postgres --regid=postgres --clear-groups'
    chown postgres "$1"
  fi
  $as test -w "$1" || {
    echo "PostgreSQL may not write to $1: its user has to own it and may enter all folders above" >&2
    exit 1
  }
}

# Prints who may connect to what, without a password: the superuser, and each role to its DATABASE.
access() {
  echo "host all postgres all trust"
  for each; do echo "host $each $each all trust"; done
}

# Prints statements that make a role for each DATABASE, which no other one may open.
databases() {
  for each; do
    echo "CREATE ROLE \"$each\" LOGIN;"
    echo "CREATE DATABASE \"$each\" OWNER \"$each\";"
    echo "REVOKE CONNECT ON DATABASE \"$each\" FROM PUBLIC;"
    # So that it may see which session of another role holds back vacuum.
    echo "GRANT pg_monitor TO \"$each\";"
  done
}
