# The figures of all rounds as a table: medians. The ratio to \copy is the median of each run's to
# the \copy beside it, since a machine may change its pace between rounds.
# Fields: name|wall µs|rows|server µs|own µs|folded µs|delta rows

BEGIN { FS = "|" }

function median(values, count,    i, j, swap) {
    for (i = 1; i < count; i++)
        for (j = i + 1; j <= count; j++)
            if (values[j] + 0 < values[i] + 0) {
                swap = values[i]; values[i] = values[j]; values[j] = swap
            }
    return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
}

function middle(name, column,    i, list) {
    for (i = 1; i <= runs[name]; i++) list[i] = figure[name, i, column]
    return median(list, runs[name])
}

{
    if (!($1 in runs)) order[++names] = $1
    runs[$1]++
    figure[$1, runs[$1], "rate"] = $3 / $2 * 1e6
    # Ingest comes before its \copy, the others after.
    if ($1 == "copy") copied = $3 / $2 * 1e6
    if ($1 == "copy" && waiting) figure[waiting, runs[waiting], "ratio"] /= copied
    waiting = $1 ~ /^ingest/ ? $1 : ""
    figure[$1, runs[$1], "ratio"] = $3 / $2 * 1e6 / (waiting ? 1 : copied)
    figure[$1, runs[$1], "server"] = $4 / $3
    figure[$1, runs[$1], "own"] = $5 / $3
    figure[$1, runs[$1], "folded"] = $6 ? $3 / $6 * 1e6 : 0
    figure[$1, runs[$1], "deltas"] = $7 / $3
}

END {
    title["copy"] = "`psql \\copy`, binary"
    title["multi"] = "INSERT, 1,000 rows each"
    title["single"] = "INSERT, one a click, autocommit"
    title["ingest"] = "**Ingest**"
    print "| | clicks/s | ÷ \\copy | ÷ one INSERT | server CPU µs | own CPU µs | delta rows a " \
        "click | clicks/s until folded |"
    print "|---|--:|--:|--:|--:|--:|--:|--:|"
    for (n = 1; n <= names; n++) {
        name = order[n]
        printf "| %s | %d | %.2f | %.1f | %.2f |", (name in title) ? title[name] : name,
            middle(name, "rate"), middle(name, "ratio"),
            middle(name, "rate") / middle("single", "rate"), middle(name, "server")
        if (name ~ /^ingest/)
            printf " %.2f | %.2f | %d |\n", middle(name, "own"), middle(name, "deltas"),
                middle(name, "folded")
        else print " | | |"
    }
}
