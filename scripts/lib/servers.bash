# Makes sure that the servers of a full test run can be started. Sourced after environment.bash and apt.bash.

missing_packages() {
    .venv/bin/python -m tests.support.server_binaries
}

# The tests start and stop the servers themselves; only the programs have to be there.
ensure_servers() {
    local missing
    missing=$(missing_packages) || fail "could not look for the servers"
    if [ -n "$missing" ] && can_apt_install; then
        # shellcheck disable=SC2086 # one word per package
        apt_install $missing
        missing=$(missing_packages)
    fi
    if [ -n "$missing" ]; then
        fail "needs PostgreSQL 15 or newer and Mosquitto 2 or newer; missing, by Debian name: ${missing//$'\n'/ }"
    fi
}
