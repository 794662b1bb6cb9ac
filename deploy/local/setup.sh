#!/bin/sh
# Installs into .venv what the lock files name: Python packages, Kafka's jars. Run by `make setup`, from the checkout's root.
set -eu

fail() {
    echo "setup: $1" >&2
    exit 1
}

major() { # first number in a version text: `openjdk version "17.0.15"`, `v20.20.2`
    sed -n 's/^[^0-9]*\([0-9][0-9]*\).*/\1/p' | head -n 1
}

# Of those that will do, the first one built with profile-guided optimisation: it runs our code a fifth faster (docs/performance.md).
# Those of distributions are, but do not say so; pyenv's are only when asked for.
find_python() {
    usable=
    for candidate in ${PYTHON:-python3.11 /usr/bin/python3.11 python3 /usr/bin/python3 python3.12 python3.13 python3.14}; do
        found=$(command -v "$candidate") || continue
        "$found" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
        usable=${usable:-$found}
        case $found in /usr/bin/*) optimised=yes ;; *) optimised=$("$found" -c "$ASK_OPTIMISED") ;; esac
        if [ "$optimised" = yes ]; then
            echo "$found"
            return
        fi
    done
    [ -n "$usable" ] ||
        fail "Python 3.11 or newer, with venv, was not found: install it (Debian: apt install python3 python3-venv), or set PYTHON=/path/to/python"
    echo "$usable"
}

ASK_OPTIMISED='import sysconfig; print("yes" if "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")) else "no")'
python=$(find_python)
command -v java >/dev/null || fail "java was not found: install Java 17 or newer (Debian: apt install default-jre-headless)"
java_version=$(java -version 2>&1 | grep version | major)
[ "${java_version:-0}" -ge 17 ] || fail "Java ${java_version:-of an unknown version} is too old: install Java 17 or newer"
command -v mvn >/dev/null || fail "mvn was not found: install Maven (Debian: apt install maven)"
command -v node >/dev/null || fail "node was not found: install Node 20 or newer, with npm"
[ "$(node --version | major)" -ge 20 ] || fail "Node $(node --version) is too old: install Node 20 or newer"

echo "setup: Python packages"
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then # absent, or moved, or its Python is gone
    rm -rf .venv
    "$python" -m venv .venv
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock

# The checkout itself: a path file and a command need no build step, and work after any change.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pwd >"$site/otklik.pth"
printf '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python" -m deploy.cli "$@"\n' >.venv/bin/otklik
chmod +x .venv/bin/otklik
.venv/bin/python -m compileall -q -j 0 "$site" >/dev/null 2>&1 & # on all cores, where pip has one; some packages hold files of other Pythons

echo "setup: Kafka"
(cd .venv/kafka 2>/dev/null && sha256sum --quiet --check ../../deploy/local/kafka/jars.sha256) >/dev/null 2>&1 || {
    rm -rf .venv/kafka
    mvn --quiet --batch-mode --file deploy/local/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        "-DoutputDirectory=$PWD/.venv/kafka" >.venv/maven.txt 2>&1 || {
        cat .venv/maven.txt >&2
        fail "Maven could not fetch Kafka's jars: see above, then run make setup again"
    }
    (cd .venv/kafka && sha256sum --quiet --check ../../deploy/local/kafka/jars.sha256) ||
        fail "Kafka's jars are not those of deploy/local/kafka/jars.sha256: run make setup again; if it stays, do not trust them"
    for jar in .venv/kafka/*.jar; do
        grep -q " $(basename "$jar")\$" deploy/local/kafka/jars.sha256 || fail "$jar is not in deploy/local/kafka/jars.sha256"
    done
}
wait
