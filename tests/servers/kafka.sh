#!/usr/bin/env bash
# A real single-node Apache Kafka broker for tests, without docker: jars from Maven Central, JVM 17+.
#
#   kafka.sh install                          fetch the jars (a second call does nothing)
#   kafka.sh start DIR PORT [KEY=VALUE ...]   start on 127.0.0.1:PORT, print "127.0.0.1:PORT" when ready;
#                                             PORT+1 is the controller's; KEY=VALUE are broker settings
#   kafka.sh stop DIR                         orderly shutdown (SIGTERM)
#   kafka.sh kill9 DIR                        crash (SIGKILL); start DIR PORT again recovers the log
#
# DIR holds data/, server.properties, log and pid. Start again with the same DIR keeps the data.
# Environment: PULSE_SERVERS_DIR (where jars go), KAFKA_HEAP (default 512m), JAVA_HOME.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pom=$here/kafka-pom.xml
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$pom")
home=${PULSE_SERVERS_DIR:-$HOME/.cache/pulse-servers}/kafka-$version
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

die() { echo "kafka.sh: $*" >&2; exit 1; }

# Java and Maven from Debian where they are missing.
tools() {
  local missing=()
  command -v "$java" >/dev/null || missing+=(default-jre-headless)
  [[ -d $home ]] || command -v mvn >/dev/null || missing+=(maven)
  ((${#missing[@]})) || return 0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >&2 ||
    die "needs ${missing[*]}"
}

install() {
  tools
  [[ -d $home ]] && return
  mkdir -p "${home%/*}"
  local tmp
  tmp=$(mktemp -d "$home.XXXXXX")
  # Stdout belongs to `start`'s answer, so everything mvn says goes to stderr.
  mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$tmp" >&2
  # Renamed whole, so an interrupted download never passes for an install. If two installs race,
  # -T makes the second rename fail and the first one's jars are used.
  mv -T "$tmp" "$home" 2>/dev/null || rm -rf "$tmp"
  [[ -d $home ]] || die "could not install into $home"
}

# The pid of DIR's broker, or nothing. The command line is compared too: after a reboot or a long
# run the number may be another process's, which must not be signalled.
running() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 0
  { tr "\0" "\n" <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qxF "$1/server.properties" && echo "$pid" || true
}

# Waits until the process has let go of its port and its lock on data/. One that is dead but not yet
# reaped counts as gone once its threads are too: the broker outlives the shell that started it, and
# in a container pid 1 may reap late or never.
gone() {
  local pid=$1 tenths=$2 tasks
  while :; do
    tasks=("/proc/$pid/task/"*)
    [[ -e ${tasks[0]} ]] || return 0
    ((${#tasks[@]} > 1)) || ! grep -qs '^State:.Z' "/proc/$pid/status" || return 0
    ((tenths-- > 0)) || return 1
    sleep 0.1
  done
}

start() {
  local dir=$1 port=$2 pid
  shift 2
  install
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [[ -z $(running "$dir") ]] || die "already running in $dir"

  {
    cat <<EOF
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$((port + 1))
log.dirs=$dir/data
# One node: every internal topic has one replica. Few partitions, because the first use of a group
# or a transaction creates them all (the default is 50 each).
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
# No 3 s wait for more members before a group's first assignment.
group.initial.rebalance.delay.ms=0
# Lets a test use a session timeout under the default floor of 6 s, to see a dead consumer soon.
group.min.session.timeout.ms=1000
# After a crash the controller refuses the restarted broker until the old one's session ends: 9 s by
# default, and with that a restart took 13 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# The cleaner's default table is 128 MiB of heap.
log.cleaner.dedupe.buffer.size=8388608
EOF
    # Last, because a later line wins.
    ((!$#)) || printf '%s\n' "$@"
  } >"$dir/server.properties"

  local run=("$java" -Xms64m "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -XX:+ExitOnOutOfMemoryError -Dlog4j2.level=INFO -cp "$home/*")
  if [[ ! -f $dir/data/meta.properties ]]; then
    # Any 16 bytes in base64 are a cluster id; these say "pulse-test-kafka".
    "${run[@]}" kafka.tools.StorageTool format -t cHVsc2UtdGVzdC1rYWZrYQ -c "$dir/server.properties" \
      >"$dir/format.log" 2>&1 || die "format failed: $(tail -n 3 "$dir/format.log")"
  fi
  [[ ! -f $dir/log ]] || mv "$dir/log" "$dir/log.old"
  : >"$dir/log"
  # Its own session and no inherited stdio: Ctrl-C in a test run does not reach it, and
  # $(kafka.sh start ...) returns.
  setsid "${run[@]}" kafka.Kafka "$dir/server.properties" </dev/null >"$dir/log" 2>&1 &
  pid=$!
  echo "$pid" >"$dir/pid"
  # The port opens before requests are answered, so an accepted connection is not yet "ready".
  for ((i = 0; i < 1200; i++)); do
    if grep -q 'Kafka Server started' "$dir/log"; then
      echo "127.0.0.1:$port"
      return
    fi
    kill -0 "$pid" 2>/dev/null || die "broker exited: $(grep -E 'ERROR|FATAL|Exception' "$dir/log" | head -n 3)"
    sleep 0.1
  done
  kill -KILL "$pid"
  die "not ready after 120 s, see $dir/log"
}

stop() {
  local dir pid
  dir=$(cd "$1" && pwd)
  pid=$(running "$dir")
  # A fault test whose crash hit nothing would pass for the wrong reason; a second stop is harmless.
  [[ -n $pid || $2 == TERM ]] || die "no broker runs in $dir"
  if [[ -n $pid ]]; then
    kill -"$2" "$pid"
    gone "$pid" 300 || die "pid $pid still runs 30 s after SIG$2"
  fi
  rm -f "$dir/pid"
}

case ${1:-}:$# in
  install:1) install ;;
  start:[3-9] | start:[1-9][0-9]) start "${@:2}" ;;
  stop:2) stop "$2" TERM ;;
  kill9:2) stop "$2" KILL ;;
  *) die "usage: kafka.sh install | start DIR PORT [KEY=VALUE ...] | stop DIR | kill9 DIR" ;;
esac
