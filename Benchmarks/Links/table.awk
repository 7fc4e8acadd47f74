# The figures of all sizes as a table, a column a size: medians, and the longest where that matters.
# Fields: links|name|value

BEGIN { FS = "|" }

function sorted(links, name, values,    i, j, n, swap) {
    n = runs[links, name]
    for (i = 1; i <= n; i++) values[i] = figure[links, name, i]
    for (i = 1; i < n; i++)
        for (j = i + 1; j <= n; j++)
            if (values[j] + 0 < values[i] + 0) {
                swap = values[i]; values[i] = values[j]; values[j] = swap
            }
    return n
}

function median(links, name,    n, values) {
    n = sorted(links, name, values)
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}

function longest(links, name,    n, values) {
    n = sorted(links, name, values)
    return values[n]
}

function line(title, kind,    s, l) {
    printf "| %s |", title
    for (s = 1; s <= sizes; s++) {
        l = size[s]
        if (kind == "full") printf " %.2f |", median(l, "full") / 1e6
        if (kind == "read")
            printf " %.2f, %.1f × |", median(l, "read") / 1e6, median(l, "read") / median(l, "copy")
        if (kind == "write")
            printf " %.3f, %.1f × |", median(l, "write") / 1e6, median(l, "write") / median(l, "dd")
        if (kind == "cpu") printf " %.2f |", median(l, "publisher-cpu") / 1e6
        if (kind == "bytes") printf " %.1f, %.1f |", figure[l, "bytes", 1] / 1e6, figure[l, "image", 1] / 1e6
        if (kind == "change")
            printf " %.2f, %.2f |", median(l, "change") / 1e3, longest(l, "change") / 1e3
        if (kind == "rate")
            printf " %d |", figure[l, "storm-changes", 1] / figure[l, "storm-seconds", 1]
        if (kind == "files")
            printf " %.1f |", figure[l, "storm-files", 1] / figure[l, "storm-seconds", 1]
        if (kind == "delay")
            printf " %.2f, %.2f |", figure[l, "storm-median", 1] / 1e3, figure[l, "storm-longest", 1] / 1e3
        if (kind == "settled") printf " %.2f |", figure[l, "storm-settled", 1] / 1e3
        if (kind == "stormcpu")
            printf " %d %%, %d %% |", figure[l, "storm-cpu", 1] / figure[l, "storm-seconds", 1] / 1e4,
                figure[l, "storm-edge-cpu", 1] / figure[l, "storm-seconds", 1] / 1e4
    }
    printf "\n"
}

{
    if (!($1 in known)) { known[$1] = 1; size[++sizes] = $1 }
    runs[$1, $2]++
    figure[$1, $2, runs[$1, $2]] = $3
}

END {
    printf "| links |"
    for (s = 1; s <= sizes; s++) printf " %d |", size[s]
    printf "\n|---|"
    for (s = 1; s <= sizes; s++) printf "--:|"
    printf "\n"
    line("**First file**, s from Ingest's start", "full")
    line("of which reading all links, s, ÷ `psql \\copy`", "read")
    line("of which writing the file, s, ÷ `dd conv=fsync`", "write")
    line("Ingest's processor time for it, s", "cpu")
    line("file and image, MB", "bytes")
    line("**One change** at the edge, s, median and longest", "change")
    line("**Storm**: changes/s", "rate")
    line("files/s", "files")
    line("a change at the edge, s, median and longest", "delay")
    line("all changes at the edge after the last commit, s", "settled")
    line("of a processor: Ingest's thread, the edge's thread", "stormcpu")
}
