# Installs Debian packages for a test run, where that is possible. Sourced after environment.bash.

can_apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

apt_install() {
    local log
    say "installing with apt-get: $*"
    log=$(mktemp)
    if ! without_service_starts apt_get_quietly "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install $*"
    fi
    rm -f "$log"
}

apt_get_quietly() {
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    local apt=(apt-get -y -o DPkg::Lock::Timeout=120)
    "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"
}

# Packages of servers start them as system services unless policy-rc.d answers 101. A subshell, for a trap of its own.
without_service_starts() (
    policy=/usr/sbin/policy-rc.d
    if ! policy_denies_starts; then
        trap restore_policy EXIT
        trap 'exit 130' INT TERM
        if [ -e "$policy" ]; then mv "$policy" "$policy.before-edgesync"; fi
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    "$@"
)

policy_denies_starts() {
    [ -x "$policy" ] || return
    "$policy" edgesync-test start >/dev/null 2>&1
    [ $? -eq 101 ]
}

restore_policy() {
    rm -f "$policy"
    if [ -e "$policy.before-edgesync" ]; then mv "$policy.before-edgesync" "$policy"; fi
}
