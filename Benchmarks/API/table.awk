# From lines "row server rate cpu_us database_us half_rate p50_us p99_us", one a round, to a table in
# Markdown: medians, and the ratio of processor times.

function median(row, server, field,    list, count, i, j, held) {
    count = 0
    for (i = 1; i <= lines[row, server]; i++) list[++count] = value[row, server, i, field]
    for (i = 2; i <= count; i++) {
        held = list[i]
        for (j = i - 1; j >= 1 && list[j] > held; j--) list[j + 1] = list[j]
        list[j + 1] = held
    }
    return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
}

function milliseconds(micros) {
    return sprintf("%.1f ms", micros / 1000)
}

{
    lines[$1, $2]++
    for (i = 3; i <= NF; i++) value[$1, $2, lines[$1, $2], i] = $i + 0
}

END {
    print "| request | server | own CPU | of the peer's | PostgreSQL's CPU | requests/s | at half of it: " \
        "p50 | p99 |"
    print "|---|---|---|---|---|---|---|---|"
    count = split(wanted, rows, ",")
    for (r = 1; r <= count; r++)
        for (s = 1; s <= 2; s++) {
            server = s == 1 ? "api" : "seed"
            row = rows[r]
            if (!((row, server) in lines)) continue
            own = median(row, server, 4)
            ratio = s == 1 ? sprintf("1/%.1f", median(row, "seed", 4) / own) : ""
            printf "| %s | %s | %d µs | %s | %d µs | %d | %s | %s |\n", row, server, own, ratio, \
                median(row, server, 5), median(row, server, 3), \
                milliseconds(median(row, server, 7)), milliseconds(median(row, server, 8))
        }
}
