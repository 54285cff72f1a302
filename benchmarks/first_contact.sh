#!/usr/bin/env bash
# The first minutes with a card: what works there, and how fast. Run it from anywhere, in a plain checkout.
#
#   benchmarks/first_contact.sh                          everything, in at most 14 minutes
#   benchmarks/first_contact.sh --budget 570             in at most 570 seconds
#   benchmarks/first_contact.sh --output DIR             results elsewhere than in benchmarks/results
#   benchmarks/first_contact.sh --cuda 13                install for CUDA 13, whatever the driver says
#   benchmarks/first_contact.sh --dry --output DIR       on the emulated device, at tiny sizes, to try the script
#
# Packages are installed only where they are missing, into a virtual environment of its own ($FIRST_CONTACT_VENV).
# Each part has its own time limit; a part that fails or runs out of time does not stop the next one. Results are
# written as they come: a line of JSON as a part begins and one as it ends, all output in a log beside them, and the
# reports of benchmarks/gpu.py. Nothing is lost when the machine goes away.
set -u

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1

budget=840 output="" cuda="" dry=""
while [ $# -gt 0 ]; do
    case $1 in
        --budget) budget=$2; shift 2 ;;
        --output) output=$2; shift 2 ;;
        --cuda) cuda=$2; shift 2 ;;
        --dry) dry=yes; shift ;;
        *) echo "first_contact.sh: there is no option $1; the options stand at the top of the script" >&2; exit 2 ;;
    esac
done

if [ -n "$dry" ] && [ -z "$output" ]; then
    echo "first_contact.sh: --dry needs --output DIR: results of the emulated device are not kept" >&2
    exit 2
fi
output=${output:-$root/benchmarks/results}

base=$(command -v "${PYTHON:-python3}") || { echo "first_contact.sh: there is no Python; PYTHON names one" >&2; exit 1; }
python=$base
venv=${FIRST_CONTACT_VENV:-${TMPDIR:-/tmp}/gputrain-first-contact}
deadline=$(($(date +%s) + budget))
export PYTHONUNBUFFERED=1 PYTHONPATH=$root OPENBLAS_NUM_THREADS=1

note() { "$base" "$root/benchmarks/on_gpu/contact.py" "$@"; }

results=$(note new "$output") || exit 1
log=${results%.jsonl}.log
said=$(mktemp)

# part NAME SECONDS COMMAND...: run a command within its time and what is left of all, and write down what came.
part() {
    local name=$1 limit=$2 began left code
    shift 2
    began=$(date +%s)
    left=$((deadline - began))
    if [ "$left" -lt 3 ]; then
        note skip "$results" "$name"
        return 1
    fi
    [ "$limit" -gt "$left" ] && limit=$left
    note begin "$results" "$name"
    echo "=== $name (at most $limit s)" | tee -a "$log"
    timeout --signal=INT --kill-after=10 "$limit" "$@" 2>&1 | tee "$said" | tee -a "$log"
    code=${PIPESTATUS[0]}
    note end "$results" "$name" --code "$code" --began "$began" --seconds $(($(date +%s) - began)) \
        --limit "$limit" --said "$said"
    return "$code"
}

# ---------------------------------------------------------------------------------------------------- the packages

has_packages() { "$1" -c "import cupy, numpy, tqdm, pytest" 2>/dev/null; }

driver_cuda() {
    "$base" - <<'PYTHON' 2>/dev/null
import ctypes
version = ctypes.c_int()
ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
print(13 if version.value >= 13000 else 12)
PYTHON
}

install() { # what the parts need of the extra dev is in test; the rest would take minutes more
    "$base" -m venv --system-site-packages "$venv" &&
        "$venv/bin/python" -m pip install --quiet --retries 1 --timeout 15 "$root[test,cuda$cuda]"
}

if [ -z "$dry" ] && ! has_packages "$python"; then
    python=$venv/bin/python
    if ! has_packages "$python"; then
        cuda=${cuda:-$(driver_cuda)}
        cuda=${cuda:-12}
        export -f install
        export base venv root cuda
        part "install for CUDA $cuda" 300 bash -c install
        [ -x "$python" ] || python=$base
    fi
fi

# ------------------------------------------------------------------------------------------------------- the parts

bench() {
    local name=$1 limit=$2
    shift 2
    part "$name" "$limit" "$python" "$root/benchmarks/gpu.py" --output "$output" --quick "$@"
}
workers="" # a card has room for some, and each compiles kernels
[ -z "$dry" ] && "$python" -c "import xdist" 2>/dev/null && workers="-n 4 --dist worksteal"
check() {
    local name=$1 limit=$2
    shift 2
    part "$name" "$limit" "$python" -m pytest -q -W default -p no:cacheprovider \
        -o addopts=--import-mode=importlib -m "not slow" $workers "$@"
}

if [ -n "$dry" ]; then
    export GPUTRAIN_BACKEND=numpy
    tiny="--backend emulated --rounds 1 --steps 2"
    part "doctor" 60 "$python" -m gputrain doctor
    check "kernels" 120 tests/backend/cupy/test_softmax_kernels.py -k LogSoftmax
    bench "the reference step" 300 $tiny --models mlp-128 --no-peers --no-kernels
    bench "the filters' gradient" 60 $tiny --no-models --families wgrad
    bench "beside PyTorch" 300 $tiny --models mlp-128 --tf32 off --families gather --peers "pytorch eager"
else
    export GPUTRAIN_BACKEND=cupy
    part "doctor" 60 "$python" -m gputrain doctor
    check "cupy as the stand-in plays it" 60 --backend cupy tests/backend/emulator/test_{arrays,capture,kernels}.py
    check "kernels" 200 --backend cupy tests/backend/cupy/test_*_kernels.py \
        tests/backend/cupy/test_{batch_gather,chains,register_op}.py
    bench "the reference step" 120 --models cnn-128 --no-peers --no-kernels
    bench "the filters' gradient" 40 --no-models --families wgrad
    bench "beside PyTorch" 240 --peers "pytorch eager"
    check "devices agree" 120 --backend cupy tests/models/test_devices_agree.py
fi

rm -f "$said"
note summary "$results" | tee -a "$log"
echo "written to $results"
