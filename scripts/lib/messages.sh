# shellcheck shell=bash
# What the scripts say: progress and complaints on standard error, so that standard output stays
# free for what was asked for.

say() {
    printf '%s\n' "$*" >&2
}

# One sentence that says what is wrong and what to do, then the end.
die() {
    say "${0##*/}: $*"
    exit 1
}
