#!/bin/sh
# Shares a job of four real clips among processes and compares the dataset with that of one process alone: one, two and three shards,
# and three processes with --claim of which one is killed (SIGKILL) at each of N moments and started again. Every byte is the same.
# Usage: machines.sh MMDM N [SEED]
set -u
mmdm=$(realpath "$1") kills=$2 seed=${3:-$(date +%s)}
root=$(cd "$(dirname "$0")/.." && pwd)
source=$root/.deps/clips/cap13_edit2.mp4
if [ ! -f "$source" ] || ! command -v ffmpeg >/dev/null 2>&1; then
    echo "skipped: needs .deps/clips/cap13_edit2.mp4 and ffmpeg"
    exit 77
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
options="--keep age,gender,expression,head_pose,mouth --seed 7"

mkdir "$work/in"
for n in 0 1 2 3; do
    ffmpeg -v error -ss $((n * 3)) -i "$source" -t 0.5 -c:v libx264 -preset veryfast -an "$work/in/clip$n.mp4" || exit 1
done
content() { (cd "$1/dataset" && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum); }
draw() { # draw N: sets `drawn` to 0..N-1, repeatable from the printed seed
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$(((seed / 65536) % $1))
}
fail() { echo "$1"; tail -n 20 "$work/log"; exit 1; }
same() { # same NAME: merges, and compares
    "$mmdm" merge -o "$work/$1" >>"$work/log" 2>&1
    status=$?
    [ $status = "$expected" ] || fail "$1: merge ends with $status, not $expected"
    content "$work/$1" >"$work/$1.sums"
    diff "$work/alone.sums" "$work/$1.sums" || fail "$1: the dataset differs (< alone, > shared)"
    [ ! -e "$work/$1/private/work" ] && [ ! -e "$work/$1/private/claims" ] || fail "$1: work was left"
    echo "$1: $(wc -l <"$work/$1.sums") files of the dataset are the same"
}

echo "seed $seed"
# shellcheck disable=SC2086
"$mmdm" run "$work/in" -o "$work/alone" $options --jobs 1 >"$work/log" 2>&1
expected=$?
[ $expected = 0 ] || [ $expected = 3 ] || fail "alone: exit status $expected"
content "$work/alone" >"$work/alone.sums"
# shellcheck disable=SC2086
"$mmdm" plan "$work/in" -o "$work/planned" $options >"$work/log" 2>&1 || fail "plan: exit status $?"
"$mmdm" merge -o "$work/planned" >"$work/log" 2>&1
[ $? = 75 ] || fail "a job that is only planned can be merged"

for count in 1 2 3; do
    cp -a "$work/planned" "$work/of$count"
    for i in $(seq 0 $((count - 1))); do
        "$mmdm" apply -o "$work/of$count" --shard "$i/$count" >>"$work/log" 2>&1 || fail "shard $i/$count: exit status $?"
    done
    same "of$count"
done

cp -a "$work/planned" "$work/claimed"
killed=0
claimer() { exec "$mmdm" apply -o "$work/claimed" --claim --lease 5s --jobs 1; }
while :; do
    (claimer) >>"$work/log" 2>&1 & a=$!
    (claimer) >>"$work/log" 2>&1 & b=$!
    (claimer) >>"$work/log" 2>&1 & c=$!
    while [ $killed -lt "$kills" ] && kill -0 $a 2>/dev/null; do
        draw 3000
        sleep "$((drawn / 1000)).$(printf %03d $((drawn % 1000)))"
        kill -0 $a 2>/dev/null || break
        kill -KILL $a || break
        wait $a 2>/dev/null
        killed=$((killed + 1))
        a=$b b=$c
        (claimer) >>"$work/log" 2>&1 & c=$!
    done
    wait $a; x=$?
    wait $b; y=$?
    wait $c; z=$?
    [ "$x$y$z" = 000 ] && break
    fail "claimers end with $x, $y and $z"
done
same claimed
echo "$killed kills"
