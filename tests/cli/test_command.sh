# The command's manners: usage errors exit 2 with a hint, help and options print, bad input and configuration have their
# exit codes. Needs no models. MMDM_BIN is the program.
set -u
bin=${MMDM_BIN:?}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0

# expect CODE WORDS -- ARGUMENTS: the exit code, and WORDS somewhere in what is said
expect() {
    code=$1; words=$2; shift 3
    said=$("$bin" "$@" 2>&1); got=$?
    [ "$got" = "$code" ] || { echo "mmdm $*: exit $got, expected $code: $said"; bad=1; }
    case $said in *"$words"*) ;; *) echo "mmdm $*: does not say '$words': $said"; bad=1 ;; esac
}

expect 2 "mmdm run" --
expect 0 "Exit codes" -- help
expect 0 "--keep LIST" -- run --help
expect 0 "--save-latents FILE" -- portrait --help
expect 2 "did you mean 'guidance'" -- portrait --backend cosmicman-sd --guidence 3
expect 2 "did you mean 'cosmicman-sd'" -- portrait --backend cosmicman-st
expect 2 "not from a folder" -- portrait --backend cosmicman-sd "$dir"
printf 'describe: x\nsampler: eular\n' >"$dir/draw.yaml"
expect 78 "draw.yaml:2:" -- portrait --backend cosmicman-sd --config "$dir/draw.yaml"
expect 0 "mmdm 0." -- version
expect 2 "did you mean 'analyze'" -- anal
expect 2 "did you mean 'gender'" -- run x.mp4 -o "$dir/o" --keep gendr
expect 2 "did you mean 'keep'" -- run x.mp4 -o "$dir/o" --kep age
expect 2 "--output FOLDER is needed" -- run "$bin"
expect 2 "name at least one recording" -- run -o "$dir/o"
expect 65 "there is no such file" -- run "$dir/no.mp4" -o "$dir/o"
[ -e "$dir/o" ] && { echo "a failed start left $dir/o"; bad=1; }
expect 2 "nothing analysed there yet" -- apply -o "$dir/o2"
expect 2 "usage: mmdm find" -- find
expect 2 "usage: mmdm models" -- models lst
expect 2 "usage: mmdm audit" -- audit
expect 65 "no SHA256SUMS" -- audit "$dir"
printf 'keep: [age]\nplates: blurr\n' >"$dir/job.yaml"
expect 78 "job.yaml:2:" -- run x.mp4 -o "$dir/o" --config "$dir/job.yaml"
printf '{"version": 1,\n "persons": 3}\n' >"$dir/plan.json"
expect 78 "plan.json:" -- plan "$dir/plan.json"
: >"$dir/empty.mp4"
expect 65 "the file is empty" -- run "$dir/empty.mp4" -o "$dir/o3"
printf 'this is not a video' >"$dir/text.mp4"
expect 65 "text.mp4" -- run "$dir/text.mp4" -o "$dir/o4"
[ -e "$dir/o4/dataset" ] && { echo "a dataset without a clip"; bad=1; }
"$bin" options --markdown | cmp -s - docs/options.md || { echo "docs/options.md is not what mmdm options --markdown writes"; bad=1; }
exit $bad
