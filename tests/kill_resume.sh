#!/bin/sh
# Kills a job of six clips with SIGKILL at N moments, resumes it each time, and compares the dataset with that of an
# undisturbed run: no clip may be lost, doubled or half-written, and every byte is the same. Half of the kills hit the
# parent process only, half the workers too. The undisturbed job works on one clip at a time, the killed one on three, so
# bytes may not depend on --jobs either. Usage: kill_resume.sh MMDM N [SEED]
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

mkdir "$work/in"
for n in 0 1 2 3 4 5; do
    ffmpeg -v error -ss $((n * 3)) -i "$source" -t 0.8 -c:v libx264 -preset veryfast -an "$work/in/clip$n.mp4" || exit 1
done

job() { # job OUT JOBS: in a process group of its own, whose leader is the command
    exec setsid "$mmdm" run "$work/in" -o "$1" --keep age,gender,expression,head_pose,mouth --seed 7 --jobs "$2"
}
content() { (cd "$1/dataset" && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum); }
draw() { # draw N: sets `drawn` to 0..N-1, repeatable from the printed seed
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$(((seed / 65536) % $1))
}

echo "seed $seed"
began=$(date +%s%N)
(job "$work/whole" 1) >"$work/whole.log" 2>&1
status=$?
took=$((($(date +%s%N) - began) / 1000000))
echo "undisturbed: $took ms, exit status $status"
if [ $status != 0 ] && [ $status != 3 ]; then
    tail -n 30 "$work/whole.log"
    exit 1
fi
content "$work/whole" >"$work/whole.sums"

killed=0 rounds=0
while [ $killed -lt "$kills" ]; do
    rounds=$((rounds + 1))
    [ $rounds -le $((kills * 4)) ] || { echo "the job ends before it can be killed"; break; }
    (job "$work/killed" 3) >"$work/killed.log" 2>&1 &
    pid=$!
    draw "$took"
    wait_ms=$((50 + drawn * 9 / 10))
    sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
    if kill -0 $pid 2>/dev/null; then
        if [ $((killed % 2)) = 0 ]; then kill -KILL "$pid"; else kill -KILL "-$pid"; fi || exit 1
        killed=$((killed + 1))
        wait $pid 2>/dev/null
        echo "kill $killed after $wait_ms ms"
    else # it was done before the moment came: start the job over, so that there is something to kill
        wait $pid
        rm -rf "$work/killed"
    fi
done
(job "$work/killed" 3) >"$work/killed.log" 2>&1
again=$?
if [ $again != $status ]; then
    echo "after the kills the job ends with exit status $again, not $status"
    tail -n 30 "$work/killed.log"
    exit 1
fi
content "$work/killed" >"$work/killed.sums"
if ! diff "$work/whole.sums" "$work/killed.sums"; then
    echo "the dataset differs (< undisturbed, > killed $killed times and resumed)"
    exit 1
fi
left=$(find "$work/killed" -name '*.tmp*' -o -name '*.part' | head -5)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "$killed kills, $(wc -l <"$work/whole.sums") files of the dataset are the same, with one job and with three"
