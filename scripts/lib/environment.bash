# Keeps .venv equal to requirements/dev.txt. Sourced with the root of the repository as the working directory.

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

# Makes .venv, or brings it up to date; quick when nothing changed. Safe to run twice at the same time.
ensure_environment() {
    local stamp=.venv/.edgesync-stamp
    mkdir -p .venv
    exec 9<.venv
    if command -v flock >/dev/null; then flock 9; fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(wanted_stamp)" ]; then
        if ! .venv/bin/python -c '' 2>/dev/null || { [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$PWD" ]; }; then
            create_venv
        fi
        say "installing the locked dependencies into .venv (the first time takes about a minute)"
        install_locked || fail "could not install requirements/dev.txt"
        wanted_stamp >"$stamp"
    fi
    exec 9<&-
}

# The build backend is locked too, so building the editable install fetches nothing.
install_locked() {
    local pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input -qq install)
    "${pip[@]}" -r requirements/dev.txt && "${pip[@]}" --no-deps --no-build-isolation --editable .
}
