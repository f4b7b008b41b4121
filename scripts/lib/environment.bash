# Keeps .venv equal to the locked requirements. Sourced with the root of the repository as the working directory.

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 2
}

say() {
    printf '== %s\n' "$1" >&2
}

# A name on the PATH proves nothing (version managers leave shims behind), so each candidate has to run.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 or newer on the PATH, and found none"
}

# The first line names the place: a copied .venv still points to the checkout it was made in.
wanted_stamp() {
    printf '%s\n' "$PWD"
    cat pyproject.toml requirements/*.txt | cksum
}

create_venv() {
    local python
    python=$(find_python) || exit
    say "creating .venv with $("$python" --version)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        can_apt_install || fail "$python comes without ensurepip: install its venv package (Debian: python3-venv)"
        apt_install python3-venv
    fi
    "$python" -m venv --clear .venv || fail "could not create .venv"
}

# Makes .venv, or brings it up to date, with everything to work on the project.
ensure_environment() {
    ensure_installed dev .edgesync-stamp
}

# The same with what the services need to run. An environment to work in has that, too.
ensure_runtime_environment() {
    if [ "$(cat .venv/.edgesync-stamp 2>/dev/null)" = "$(wanted_stamp)" ]; then return; fi
    ensure_installed runtime .edgesync-runtime-stamp
}

# Quick when nothing changed. Safe to run twice at the same time.
ensure_installed() {
    local requirements=$1 stamp=.venv/$2
    mkdir -p .venv
    exec 9<.venv
    if command -v flock >/dev/null; then flock 9; fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(wanted_stamp)" ]; then
        if ! .venv/bin/python -c '' 2>/dev/null || was_made_elsewhere; then create_venv; fi
        say "installing the locked dependencies into .venv (the first time takes about a minute)"
        "install_$requirements" || fail "could not install requirements/$requirements.txt"
        wanted_stamp >"$stamp"
    fi
    exec 9<&-
}

was_made_elsewhere() {
    local stamp
    for stamp in .venv/.edgesync-stamp .venv/.edgesync-runtime-stamp; do
        if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$PWD" ]; then return 0; fi
    done
    return 1
}

quiet_pip() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input -qq "$@"
}

# The build backend is locked too, so building the editable install fetches nothing.
install_project() {
    quiet_pip install --no-deps --no-build-isolation --editable .
}

install_dev() {
    quiet_pip install -r requirements/dev.txt && install_project
}

install_runtime() {
    quiet_pip install -r requirements/runtime.txt -c requirements/dev.txt hatchling editables && install_project
}
